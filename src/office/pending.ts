import { randomBytes } from 'node:crypto'

/** A form that met a demand for a fresh sign-in, to be confirmed after it. */
export interface PendingForm {
  readonly sub: string
  /** Below `/admin`. */
  readonly path: string
  readonly form: string
}

const KEPT_MS = 5 * 60_000
const MOST = 200

/** Forms wait five minutes here, each for its person, and are taken once. Nothing is carried out by a redirect. */
export class PendingForms {
  readonly #forms = new Map<string, PendingForm & { readonly until: number }>()
  readonly #now: () => number

  /** @param now Milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  keep(pending: PendingForm): string {
    const id = randomBytes(18).toString('base64url')
    const [oldest] = this.#forms.keys()
    if (this.#forms.size >= MOST && oldest !== undefined) this.#forms.delete(oldest)
    this.#forms.set(id, { ...pending, until: this.#now() + KEPT_MS })
    return id
  }

  /** Undefined for another person's, a used or an old one. */
  look(id: string, sub: string): PendingForm | undefined {
    const found = this.#forms.get(id)
    return found !== undefined && found.sub === sub && this.#now() < found.until ? found : undefined
  }

  /** As {@link look}; true for one caller. */
  take(id: string, sub: string): PendingForm | undefined {
    const found = this.look(id, sub)
    if (found !== undefined) this.#forms.delete(id)
    return found
  }
}
