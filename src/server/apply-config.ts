import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/config.ts'
import { describeChanges } from '../config/diff.ts'
import { activateConfig, retireConfig } from '../gateway/active-config.ts'
import type { TlsMaterial } from '../gateway/listener.ts'
import { trustedIssuers } from '../gateway/trusted-issuers.ts'
import type { Runtime } from './runtime.ts'
import { readTls, StartFault } from './start-fault.ts'

/** Settings that are bound to something opened at the start; a changed one is named in the log and holds after a restart. */
const BOUND: Readonly<Record<string, (config: Config) => unknown>> = {
  listen: (config) => config.listen,
  management: (config) => config.management,
  store: (config) => config.store,
  instance: (config) => config.instance,
  workers: (config) => config.workers,
  tls: (config) => config.tls === undefined,
}

/** Settings that tokens and keys hang on: a file that changes one isn't put in force at all before a restart. */
const FIXED: Readonly<Record<string, (config: Config) => unknown>> = {
  public_url: (config) => config.publicUrl,
  issuer: (config) => [config.issuer.kind, config.issuer.kind === 'upstream' ? config.issuer.upstreams : ''],
}

/**
 * Swaps a checked file in, between two requests: what it narrows holds for the next one. Rejects with a StartFault, the old file
 * still in force, when it needs a restart or its certificates are no good.
 * @param spread Puts it in force in other processes.
 */
export async function applyConfig(
  next: Config,
  runtime: Runtime,
  spread: (next: Config, tls: TlsMaterial | undefined) => Promise<void> = async () => undefined,
): Promise<void> {
  const { state, log, backing, metrics, history } = runtime
  const { config: before } = state.active
  const fixed = changed(FIXED, before, next)
  if (fixed.length > 0)
    throw new StartFault(`${fixed.join(' and ')} changed: needs a restart; the old file stays in force`)
  const tls = readTls(next.tls)
  await backing.issuer.reconfigure(next)
  swapIn(next, tls, runtime)
  await spread(next, tls)
  metrics.reload(true)
  log.info('reload', { changes: describeChanges(before, next) })
  const waiting = changed(BOUND, before, next)
  history.applied(next.file, waiting)
  for (const name of waiting) log.warn('reload.restart', { setting: name, detail: `${name} changed: needs a restart` })
}

/** Swaps a file in that {@link applyConfig} has found good; says nothing. */
export function swapIn(
  next: Config,
  tls: TlsMaterial | undefined,
  { state, backing, verifier, recorder }: Runtime,
): void {
  const before = state.active
  verifier.setIssuers(trustedIssuers(next, backing.issuer.own))
  const active = activateConfig(next, before)
  state.active = active
  recorder.setAccessLog(next.accessLog)
  state.listener?.setMaxConnections(next.maxConnections)
  if (tls !== undefined) state.listener?.setTls(tls)
  retireConfig(before, active)
}

function changed(
  settings: Readonly<Record<string, (config: Config) => unknown>>,
  before: Config,
  next: Config,
): string[] {
  return Object.entries(settings).flatMap(([name, read]) => (isDeepStrictEqual(read(before), read(next)) ? [] : [name]))
}
