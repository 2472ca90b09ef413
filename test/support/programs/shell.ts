import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'

/** A POSIX shell into which lines are pasted, one after the other. */
export interface Shell {
  /**
   * Runs a line and answers what it wrote on both outputs, and its exit code.
   * @param onOutput sees what has been written so far, as it comes.
   */
  paste(line: string, onOutput?: (soFar: string) => void): Promise<{ readonly output: string; readonly code: number }>
  close(): Promise<void>
}

const DEADLINE_MS = 60_000

export function openShell(cwd: string, env: Readonly<Record<string, string>> = {}): Shell {
  const child = spawn('sh', ['-s'], { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] })
  const state: { text: string; look: () => void } = { text: '', look: () => undefined }
  child.stdout.on('data', (chunk: Buffer) => {
    state.text += chunk.toString()
    state.look()
  })
  child.stdin.write('exec 2>&1\n')
  return {
    paste: (line, onOutput) =>
      new Promise((resolve, reject) => {
        const mark = randomBytes(8).toString('hex')
        const late = setTimeout(() => reject(new Error(`no answer to ${line}: ${state.text}`)), DEADLINE_MS)
        state.text = ''
        state.look = () => {
          const [, output, code] = new RegExp(`^([\\s\\S]*)${mark} (\\d+)\\n$`).exec(state.text) ?? []
          if (output === undefined) return onOutput?.(state.text)
          clearTimeout(late)
          resolve({ output, code: Number(code) })
        }
        // The line must not read the lines that come after it.
        child.stdin.write(`{ ${line}\n} </dev/null; echo ${mark} $?\n`)
      }),
    close: async () => {
      const closed = once(child, 'close')
      child.stdin.end()
      await closed
    },
  }
}
