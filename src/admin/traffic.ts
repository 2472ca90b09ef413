import type { Traffic } from './dependencies.ts'

const STEP_MS = 10_000
/** One hour at 10 s, and 24 h at 1 min. */
const FINE = 360
const COARSE = 1_440
const STEPS_OF_COARSE = 6

/** What happened within one step. */
interface Point {
  /** Milliseconds since the epoch: the end of the step. */
  readonly at: number
  readonly ok: number
  readonly refused: number
  readonly failed: number
}

/** Series of the last hour and day, made of what the counters say every ten seconds: no request pays for them. */
export interface TrafficSeries {
  series(window: '1h' | '24h'): readonly Point[]
  /** What the counters said at the beginning of a window; undefined: it goes back further than this process. */
  before(window: '1h' | '24h'): Traffic | undefined
  close(): void
}

interface Snapshot {
  readonly at: number
  readonly traffic: Traffic
}

/** @param now Milliseconds since the epoch. */
export function createTrafficSeries(read: () => Promise<Traffic>, now: () => number): TrafficSeries {
  const fine: Snapshot[] = []
  const coarse: Snapshot[] = []
  const state = { steps: 0 }
  const step = async (): Promise<void> => {
    const snapshot = { at: now(), traffic: await read() }
    fine.push(snapshot)
    if (state.steps % STEPS_OF_COARSE === 0) coarse.push(snapshot)
    state.steps += 1
    if (fine.length > FINE + 1) fine.shift()
    if (coarse.length > COARSE + 1) coarse.shift()
  }
  const take = (): void => void step().catch(() => undefined)
  take()
  const timer = setInterval(take, STEP_MS)
  timer.unref()
  const of = (window: '1h' | '24h'): readonly Snapshot[] => (window === '1h' ? fine : coarse)
  return {
    series: (window) => thinned(differences(of(window))),
    before: (window) => of(window)[0]?.traffic,
    close: () => clearInterval(timer),
  }
}

const MOST_POINTS = 120

function differences(snapshots: readonly Snapshot[]): readonly Point[] {
  return snapshots.slice(1).map(({ at, traffic }, index) => {
    const [later, earlier] = [totals(traffic), totals(snapshots[index]?.traffic)]
    const grown = (outcome: 'ok' | 'refused' | 'failed') => Math.max(0, later[outcome] - earlier[outcome])
    return { at, ok: grown('ok'), refused: grown('refused'), failed: grown('failed') }
  })
}

/** Neighbours are summed up until few enough are left. */
function thinned(points: readonly Point[]): readonly Point[] {
  const width = Math.ceil(points.length / MOST_POINTS)
  if (width <= 1) return points
  return Array.from({ length: Math.ceil(points.length / width) }, (_, index) => {
    const group = points.slice(index * width, (index + 1) * width)
    const sum = (outcome: 'ok' | 'refused' | 'failed') => group.reduce((total, point) => total + point[outcome], 0)
    return { at: group.at(-1)?.at ?? 0, ok: sum('ok'), refused: sum('refused'), failed: sum('failed') }
  })
}

/** Requests by outcome; what its client left is neither. */
export function totals(traffic: Traffic | undefined): Readonly<Record<'ok' | 'refused' | 'failed', number>> {
  const of = (wanted: string) =>
    (traffic?.requests ?? []).filter(({ outcome }) => outcome === wanted).reduce((sum, { count }) => sum + count, 0)
  return { ok: of('ok'), refused: of('refused'), failed: of('failed') }
}

/** The bound under which this share of all durations since `before` lies, milliseconds; undefined: there were none. */
export function quantile(now: Traffic, before: Traffic | undefined, share: number): number | undefined {
  const counts = now.durations.map(({ le, count }, index) => ({
    le,
    count: count - (before?.durations[index]?.count ?? 0),
  }))
  const total = counts.at(-1)?.count ?? 0
  if (total <= 0) return undefined
  const found = counts.find(({ count }) => count >= total * share)
  const le = found?.le ?? Number.POSITIVE_INFINITY
  return Number.isFinite(le) ? le * 1_000 : undefined
}
