import { createHash } from 'node:crypto'
import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'

// Editors write in several steps: truncate, write, rename. Between them the file is half there.
const SETTLE_MS = 100
// Network drives and some container mounts give no events.
const POLL_MS = 2000

interface WatchTiming {
  /** How long nothing may happen before the change counts as done, milliseconds. */
  readonly settleMs: number
  /** How often the files are looked at without any event, milliseconds. */
  readonly pollMs: number
}

/**
 * Calls `onChange` once after any of `paths` got another content, however it was saved: in place, by a rename over it, or by a
 * swapped symlink. A file that is missing for a moment is waited for; one that stays away is no change.
 * Keeps no process alive. @returns Stops watching; no call comes after it.
 */
export function watchFiles(
  paths: readonly string[],
  onChange: () => void,
  timing: WatchTiming = { settleMs: SETTLE_MS, pollMs: POLL_MS },
): () => void {
  const files = [...new Set(paths.map((path) => resolve(path)))]
  const known = new Map(files.map((file) => [file, contentOf(file)]))
  const settling = createSettling(timing.settleMs, () => {
    if (takeChanges(files, known)) onChange()
  })
  const watchers = watchFolders(files, settling.restart)
  const poll = setInterval(() => {
    if (files.some((file) => isChanged(known.get(file), contentOf(file)))) settling.start()
  }, timing.pollMs)
  poll.unref()
  return () => {
    clearInterval(poll)
    settling.stop()
    for (const watcher of watchers) watcher.close()
  }
}

interface Settling {
  start(): void
  restart(): void
  stop(): void
}

function createSettling(settleMs: number, done: () => void): Settling {
  let timer: NodeJS.Timeout | undefined
  const start = () => {
    timer ??= setTimeout(() => {
      timer = undefined
      done()
    }, settleMs).unref()
  }
  const stop = () => {
    clearTimeout(timer)
    timer = undefined
  }
  const restart = () => {
    stop()
    start()
  }
  return { start, restart, stop }
}

/** A file that is replaced takes its own watcher along; its folder stays. */
function watchFolders(files: readonly string[], onEvent: () => void): FSWatcher[] {
  const folders = [...new Set(files.map((file) => dirname(file)))]
  return folders.flatMap((folder) => {
    const names = new Set(files.filter((file) => dirname(file) === folder).map((file) => basename(file)))
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        // `..data` is the symlink that Kubernetes swaps; the files themselves are links through it and get no event.
        if (name === null || names.has(name) || name.startsWith('..')) onEvent()
      })
      // The folder itself may go away; the poll goes on.
      watcher.on('error', () => watcher.close())
      return [watcher]
    } catch {
      return []
    }
  })
}

function takeChanges(files: readonly string[], known: Map<string, string | undefined>): boolean {
  const changed = files.filter((file) => {
    const content = contentOf(file)
    if (!isChanged(known.get(file), content)) return false
    known.set(file, content)
    return true
  })
  return changed.length > 0
}

function isChanged(before: string | undefined, now: string | undefined): boolean {
  return now !== undefined && now !== before
}

/** A digest: times and sizes stay the same over quick edits, and file ids over edits in place. */
function contentOf(file: string): string | undefined {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('base64')
  } catch {
    return undefined
  }
}
