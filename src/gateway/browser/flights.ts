/** Work that is under way, by key: whoever asks for the same meanwhile waits for the same. */
export class Flights<Value> {
  readonly #underWay = new Map<string, Promise<Value>>()

  share(key: string, start: () => Promise<Value>): Promise<Value> {
    const known = this.#underWay.get(key)
    if (known !== undefined) return known
    const flight = start().finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, flight)
    return flight
  }
}
