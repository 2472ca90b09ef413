import { write } from 'node:fs'

/** Takes lines and writes them out in batches. */
interface LogOutput {
  write(line: string): void
  /** Resolves when everything is written out, nobody reads any more, or `withinMs` have passed. */
  flush(withinMs: number): Promise<void>
}

// Lines wait for company at most this long: one write for many requests under load.
const WAIT_MS = 100
const BATCH_BYTES = 16_384
// What a pipe takes in one piece, however many processes write to it (POSIX, PIPE_BUF on Linux).
const WHOLE_BYTES = 4_096
// A reader that has stopped reading costs lines rather than memory.
const MOST_WAITING_CHARACTERS = 16_777_216
// How long a full pipe is left alone.
const BUSY_MS = 20

/**
 * Lines to a file descriptor. A closed pipe or a full disk loses lines and nothing else; a pipe that is full for long loses the newest.
 */
export function createLogOutput(fd: number, isShared = false): LogOutput {
  return new BatchedOutput(fd, isShared ? WHOLE_BYTES : BATCH_BYTES)
}

class BatchedOutput implements LogOutput {
  readonly #fd: number
  /** Lines are joined up to this; a longer one goes by itself. */
  readonly #batchBytes: number
  #waiting: string[] = []
  #waitingCharacters = 0
  #writing = false
  #broken = false
  #timer: NodeJS.Timeout | undefined
  #idle: (() => void)[] = []

  constructor(fd: number, batchBytes: number) {
    this.#fd = fd
    this.#batchBytes = batchBytes
  }

  write(line: string): void {
    if (this.#broken || this.#waitingCharacters > MOST_WAITING_CHARACTERS) return
    this.#waiting.push(line)
    this.#waitingCharacters += line.length
    if (this.#waitingCharacters >= this.#batchBytes) this.#begin()
    else this.#timer ??= setTimeout(() => this.#begin(), WAIT_MS).unref()
  }

  flush(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs)
      this.#idle.push(() => {
        clearTimeout(timer)
        resolve()
      })
      this.#begin()
    })
  }

  #begin(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#writing) return
    if (this.#broken || this.#waiting.length === 0) {
      for (const callback of this.#idle.splice(0)) callback()
      return
    }
    this.#writing = true
    this.#write(Buffer.from(this.#take()))
  }

  /** The oldest lines, whole, at least one. */
  #take(): string {
    let count = 0
    for (let bytes = 0; count < this.#waiting.length; count += 1) {
      bytes += Buffer.byteLength(this.#waiting[count] ?? '')
      if (count > 0 && bytes > this.#batchBytes) break
    }
    const lines = this.#waiting.splice(0, count).join('')
    this.#waitingCharacters -= lines.length
    return lines
  }

  #write(batch: Buffer): void {
    write(this.#fd, batch, (error, written) => {
      if (error?.code === 'EAGAIN' || error?.code === 'EBUSY') {
        setTimeout(() => this.#write(batch), BUSY_MS)
        return
      }
      if (error === null && written < batch.length) return this.#write(batch.subarray(written))
      if (error !== null) this.#give()
      this.#writing = false
      if (this.#idle.length > 0 || this.#waitingCharacters >= this.#batchBytes) this.#begin()
      else if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.#begin(), WAIT_MS).unref()
    })
  }

  /** Nobody reads any more. */
  #give(): void {
    this.#broken = true
    this.#waiting = []
    this.#waitingCharacters = 0
  }
}
