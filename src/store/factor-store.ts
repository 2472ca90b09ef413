/** An authenticator app of a person; one a person. */
export interface AuthenticatorRecord {
  readonly sub: string
  /** Its secret, sealed by the issuer before it gets here. */
  readonly sealed: string
  /** The last time step whose code was used. */
  readonly lastStep: number
  /** NumericDate, seconds. */
  readonly createdAt: number
}

/** What people show beside their password. */
export interface FactorStore {
  authenticator(sub: string): Promise<AuthenticatorRecord | undefined>
  /** False when the person has one. Recovery codes, as hashes, take the place of those before. */
  addAuthenticator(record: AuthenticatorRecord, codeHashes: readonly string[]): Promise<boolean>
  /** True for one caller for each step, and for no earlier step after that. @param sealed the secret that the code was made with. */
  spendStep(sub: string, sealed: string, step: number): Promise<boolean>
  /** With the recovery codes; false when there is none. */
  removeAuthenticator(sub: string): Promise<boolean>
  /** Takes the place of all before. */
  putRecoveryCodes(sub: string, hashes: readonly string[]): Promise<void>
  /** True for one caller. */
  spendRecoveryCode(sub: string, hash: string): Promise<boolean>
  /** How many are left. */
  recoveryCodes(sub: string): Promise<number>
}
