/** Loaded before a program by `--import`: its wall clock is off by CLOCK_OFF_MS; the monotonic one is right. */
const off = Number(process.env.CLOCK_OFF_MS ?? 0)
const RealDate = Date

class WrongDate extends RealDate {
  constructor(...parts: [] | [number | string | Date]) {
    if (parts.length === 0) super(RealDate.now() + off)
    else super(parts[0])
  }

  static override now(): number {
    return RealDate.now() + off
  }
}

globalThis.Date = WrongDate as DateConstructor
