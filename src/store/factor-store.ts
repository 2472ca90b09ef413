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

/** A passkey (WebAuthn): a key pair of which the person's device keeps the private half. */
export interface PasskeyRecord {
  /** Names it to people and operators. */
  readonly id: string
  readonly sub: string
  /** As browsers name it, base64url. */
  readonly credentialId: string
  /** COSE key, base64url. */
  readonly publicKey: string
  /** How often its device says that it was used; 0 for those that don't count. */
  readonly counter: number
  /** Whether it may be copied to other devices; fixed when it is made. */
  readonly backupEligible: boolean
  /** Whether it was copied when it was last used. */
  readonly backedUp: boolean
  readonly transports: readonly string[]
  readonly name: string
  /** NumericDate, seconds. */
  readonly createdAt: number
  readonly lastUsedAt: number | undefined
}

/** A browser in which somebody is asked for no code after the password. */
interface RememberedBrowser {
  /** Of what the browser holds. */
  readonly hash: string
  readonly sub: string
  /** What it is bound to: it counts as long as that is the same. */
  readonly bound: string
  readonly createdAt: number
  readonly expiresAt: number
}

/** A request that was refused for the sign-in behind its token alone. */
interface KeptWeakSignIn {
  readonly sub: string
  readonly clientId: string
  readonly acr: string | undefined
  /** Seconds. */
  readonly maxAge: number | undefined
  /** NumericDate, seconds. */
  readonly expiresAt: number
}

/** What people show beside their password, or instead of it. */
export interface FactorStore {
  /** The oldest first. */
  passkeys(sub: string): Promise<readonly PasskeyRecord[]>
  passkeyByCredential(credentialId: string): Promise<PasskeyRecord | undefined>
  /** @param most how many a person may have, this one included. `there`: somebody has that credential. */
  addPasskey(record: PasskeyRecord, most: number): Promise<'added' | 'too_many' | 'there'>
  /** Notes a use; false where the counter is another than `before` by now. */
  usePasskey(
    id: string,
    before: number,
    use: Pick<PasskeyRecord, 'counter' | 'backedUp'> & { readonly at: number },
  ): Promise<boolean>
  /** False when that person has none of that id. */
  renamePasskey(sub: string, id: string, name: string): Promise<boolean>
  /** Recovery codes as with {@link FactorStore.removeAuthenticator}. */
  removePasskey(sub: string, id: string): Promise<boolean>
  /** Puts `record` in the place of the app that there is; recovery codes stay. False when there is none. */
  replaceAuthenticator(record: AuthenticatorRecord): Promise<boolean>
  /** Notes that an operator took the last second factor away: the next one is added by a link only. */
  markFactorReset(sub: string, at: number): Promise<void>
  isFactorReset(sub: string): Promise<boolean>
  clearFactorReset(sub: string): Promise<void>
  /**
   * Notes what a refused request of a person and a client needs of the sign-in, in the place of what was noted before. @param most of all of them;
   * the oldest go.
   */
  noteWeakSignIn(weak: KeptWeakSignIn, most: number): Promise<void>
  /** One that has not expired. @param now NumericDate, seconds. */
  weakSignIn(sub: string, clientId: string, now: number): Promise<KeptWeakSignIn | undefined>
  rememberBrowser(record: RememberedBrowser): Promise<void>
  /** One that has not expired. @param now NumericDate, seconds. */
  rememberedBrowser(hash: string, now: number): Promise<RememberedBrowser | undefined>
  /** Notes, in the place of what was noted before, that a recovery code was used. */
  noteRecovery(sub: string, at: number, address: string): Promise<void>
  recovery(sub: string): Promise<{ readonly at: number; readonly address: string } | undefined>
  forgetRecovery(sub: string): Promise<void>
  authenticator(sub: string): Promise<AuthenticatorRecord | undefined>
  /** False when the person has one. Recovery codes, as hashes, take the place of those before; undefined: those stand. */
  addAuthenticator(record: AuthenticatorRecord, codeHashes: readonly string[] | undefined): Promise<boolean>
  /** True for one caller for each step, and for no earlier step after that. @param sealed the secret that the code was made with. */
  spendStep(sub: string, sealed: string, step: number): Promise<boolean>
  /** Recovery codes go with the last second factor, passkeys counted. False when there is none. */
  removeAuthenticator(sub: string): Promise<boolean>
  /** Takes the place of all before. */
  putRecoveryCodes(sub: string, hashes: readonly string[]): Promise<void>
  /** True for one caller. */
  spendRecoveryCode(sub: string, hash: string): Promise<boolean>
  /** How many are left. */
  recoveryCodes(sub: string): Promise<number>
}
