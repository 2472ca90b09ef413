/** A one-time link that lets a person set up a way to sign in. Times are NumericDate, seconds. */
export interface LinkRecord {
  /** Names the link to those who may void it; is not what the link holds. */
  readonly id: string
  /** SHA-256 of the secret in the link, base64url. */
  readonly secretHash: string
  /** `invite`: for who has no way in yet · `recover`: ends all that the person holds when it is used. */
  readonly kind: 'invite' | 'recover'
  readonly sub: string
  /** `cli`, the `sub` of a person, or `client:ID`. */
  readonly madeBy: string
  readonly createdAt: number
  readonly expiresAt: number
  /** What goes when it is used. */
  readonly reset: readonly string[]
}

/** A link, and what became of it. */
export interface KeptLink extends LinkRecord {
  readonly state: 'open' | 'used' | 'voided'
}

/** One-time links. Every method is one atomic step. */
export interface LinkStore {
  /** @param mostOpen how many of a person's links may be open at `link.createdAt`, this one included. */
  addLink(link: LinkRecord, mostOpen: number): Promise<'added' | 'too_many'>
  /** Expired ones too, as long as they are kept; whether it has expired is for the caller to see. */
  link(secretHash: string): Promise<KeptLink | undefined>
  /** Those of a person that are open and not expired at `now`, the newest first. */
  openLinks(sub: string, now: number): Promise<readonly LinkRecord[]>
  /** True for exactly one caller, and only while it is open and not expired. Voids the person's other links. */
  useLink(id: string, now: number): Promise<boolean>
  /** False when that person has no open link of that id. */
  voidLink(id: string, sub: string): Promise<boolean>
  /** Voids the open links that `madeBy` has made; answers how many. */
  voidLinksMadeBy(madeBy: string): Promise<number>
  /** Voids every open link; answers how many. */
  voidOpenLinks(): Promise<number>
  /** Takes away up to 500 links that expired before `now`; answers those of them that were open still. */
  takeExpiredLinks(now: number): Promise<readonly LinkRecord[]>
}
