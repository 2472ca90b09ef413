/** The newest so many of something, with what was pushed out counted. */
export class Ring<T> {
  readonly #items: (T | undefined)[]
  #next = 0
  #dropped = 0

  constructor(size: number) {
    this.#items = Array.from({ length: size })
  }

  get dropped(): number {
    return this.#dropped
  }

  /** Answers what it pushed out. */
  add(item: T): T | undefined {
    const old = this.#items[this.#next]
    if (old !== undefined) this.#dropped += 1
    this.#items[this.#next] = item
    this.#next = (this.#next + 1) % this.#items.length
    return old
  }

  /** Newest first. */
  *newest(): Generator<T> {
    const size = this.#items.length
    for (let back = 1; back <= size; back += 1) {
      const item = this.#items[(this.#next - back + size) % size]
      if (item === undefined) return
      yield item
    }
  }
}
