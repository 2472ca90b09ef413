/** A request that waits for keys brings an older time, and clocks are set right by little: only more than this is a jump. Seconds. */
const SLACK_SECONDS = 30

/**
 * Notices when the clock is set back. What had expired by then would be alive again, and who revoked it may have been forgotten meanwhile.
 * Times are NumericDate seconds. One is for one process; a restart forgets.
 */
export class ClockWatch {
  #latest = Number.NEGATIVE_INFINITY
  /** From where and to where the clock was set back last; of several the furthest start. */
  #from = Number.NEGATIVE_INFINITY
  #to = Number.NEGATIVE_INFINITY
  #jumps = 0

  /** How often the clock was set back. */
  get jumps(): number {
    return this.#jumps
  }

  /** Takes the time of a request. @returns Whether the clock was set back since the last one. */
  see(now: number): boolean {
    const isJump = now < this.#latest - SLACK_SECONDS
    if (isJump) {
      this.#from = Math.max(this.#from, this.#latest)
      this.#to = now
      this.#jumps += 1
    }
    if (isJump || now > this.#latest) this.#latest = now
    return isJump
  }

  /**
   * Whether what was issued and ended then had ended before the clock was set back. What was issued since is none of that, even where it
   * ends earlier.
   * @param seenJumps {@link jumps} when it was first found good; what was found good after a jump, and issued after where that led, is new.
   */
  hadEnded(issuedAt: number, endsAt: number, seenJumps: number): boolean {
    return endsAt <= this.#from && (seenJumps < this.#jumps || issuedAt < this.#to)
  }
}
