import { execFile } from 'node:child_process'

/**
 * Tells a supervisor with systemd's protocol (sd_notify) that the server is ready, or ending; nothing where none asked ($NOTIFY_SOCKET).
 * By the systemd-notify command, since Node opens no unix datagram socket: the unit needs `NotifyAccess=all`. A failure is passed over.
 */
export function notifySystemd(state: 'READY=1' | 'STOPPING=1', env: NodeJS.ProcessEnv = process.env): void {
  if (!env.NOTIFY_SOCKET) return
  // Says nothing of its own to a terminal, and never holds the process up.
  execFile('systemd-notify', [`--pid=${process.pid}`, state], { timeout: 5_000 }, () => undefined)
}
