import { personKey, type Revocation } from '../core/revocation.ts'
import { lookupKey } from '../store/sealed-payload.ts'
import type { Store, UserRecord } from '../store/store.ts'
import {
  type Acting,
  type Change,
  entry,
  everything,
  line,
  type Stamp,
  stampOf,
  TOLERANCE_SECONDS,
  whole,
} from './acting.ts'
import { APP_PASSWORD_CLIENT, BROWSER_CLIENT } from './clients/reserved.ts'
import { type ProviderActs, providerActs } from './provider-acts.ts'

interface ActOptions {
  readonly store: Pick<Store, 'act' | 'userBySub' | 'unit' | 'voidLinksMadeBy'>
  /** Milliseconds. */
  readonly now: () => number
  /** Whose members are administrators; undefined: it isn't known, and whoever loses any group may have been one. */
  readonly adminGroups?: () => readonly string[]
}

/** Whose it was that ends, as far as it is known: the line is found among that person's and that client's. */
interface Whose {
  readonly sub?: string | undefined
  readonly client?: string | undefined
}

/** What is spared when a password changes: the authorization and the browser session that the person acts from. */
interface InHand {
  readonly exceptGid?: string | undefined
  readonly exceptUid?: string | undefined
  /** App passwords go on. */
  readonly keepAppPasswords?: boolean
}

/**
 * The acts of revocation, each one transaction with its audit line. Every method answers the entries that are in force by
 * it; `by` says who acted, for the audit. None checks that the person or client exists, save where it sets something.
 */
export interface RevocationActs extends ProviderActs {
  /** Ends what the client has, and gives it nothing until {@link RevocationActs.restoreClient}. */
  revokeClient(clientId: string, by: string): Promise<readonly Revocation[]>
  restoreClient(clientId: string, by: string): Promise<readonly Revocation[]>
  /** Ends what the client has; people may sign in to it anew. */
  endClient(clientId: string, by: string): Promise<readonly Revocation[]>
  /** Ends what every client has of this person, browser sessions too. */
  revokeUser(sub: string, by: string): Promise<readonly Revocation[]>
  /** Ends what one client has of this person. */
  revokeUserClient(sub: string, clientId: string, by: string): Promise<readonly Revocation[]>
  /** As {@link RevocationActs.revokeUserClient}, when the person takes the consent back. */
  revokeConsent(sub: string, clientId: string, by: string): Promise<readonly Revocation[]>
  /** Ends all tokens and browser sessions of the person, and app passwords where that is said; consents stay. */
  signOutEverywhere(sub: string, by: string, appPasswords?: boolean): Promise<readonly Revocation[]>
  /** Ends a session of the issuer (by its lookup key), and all browser sessions at the gateway that were opened under it. @param about more for the audit. */
  signOutBrowser(
    sub: string,
    issuerSession: string,
    by: string,
    about?: Readonly<Record<string, unknown>>,
  ): Promise<readonly Revocation[]>
  /**
   * Ends a session of the issuer (by its lookup key) that the person says wasn't theirs, with all that was authorized in it.
   * @param passwordDue whether they have to choose a new password before anything else.
   */
  disownSession(sub: string, issuerSession: string, passwordDue: boolean, by: string): Promise<readonly Revocation[]>
  /** Ends one app password; one that is not there is no error. */
  revokeAppPassword(id: string, by: string, whose?: Whose): Promise<readonly Revocation[]>
  /** Ends one token. @param exp its expiry, NumericDate; undefined when it isn't known. */
  revokeJti(jti: string, exp: number | undefined, by: string, whose?: Whose): Promise<readonly Revocation[]>
  /** Ends one authorization: its tokens and the family of its refresh tokens. Consents stay. */
  revokeAuthorization(gid: string, by: string, whose?: Whose): Promise<readonly Revocation[]>
  /** Open one-time links of the person are void, too. */
  disableUser(sub: string, by: string): Promise<readonly Revocation[]>
  enableUser(sub: string, by: string): Promise<readonly Revocation[]>
  /** Sets the groups; tokens that carry one that is taken away end. Groups are NOT checked. */
  changeGroups(sub: string, groups: readonly string[], by: string): Promise<readonly Revocation[]>
  /** Sets what `change` has, tokens that carry a group that is taken away end. Nothing is checked. */
  changeUser(
    sub: string,
    change: Partial<Pick<UserRecord, 'displayName' | 'email' | 'groups'>>,
    by: string,
  ): Promise<readonly Revocation[]>
  /** Sets the password and ends all sessions and tokens but those in hand; open one-time links of the person are void. */
  changePassword(sub: string, hash: string, inHand: InHand, by: string): Promise<readonly Revocation[]>
  /** Ends all sessions and tokens by a one-time link. @param change sets the password, or (undefined) takes it away. @param detail of the link, for the audit. */
  setUpByLink(
    sub: string,
    change: { readonly passwordHash?: string | undefined },
    detail: Readonly<Record<string, unknown>>,
  ): Promise<readonly Revocation[]>
}

/** Acts on a store. */
export function createRevocationActs(options: ActOptions): RevocationActs {
  const { store } = options
  const acting = (change: (stamp: Stamp) => Change) => {
    const stamp = stampOf(options)
    return store.act({ ...whole(change(stamp)), asOfMs: stamp.notBeforeMs })
  }
  return {
    ...clientActs(acting),
    ...userActs(acting),
    ...tokenActs(acting),
    ...settingActs(acting, options),
    ...providerActs(acting),
  }
}

function clientActs(acting: Acting): Pick<RevocationActs, 'revokeClient' | 'restoreClient' | 'endClient'> {
  const ending = (id: string, stamp: Stamp) => ({
    revocations: [entry('client', id, stamp)],
    deleteConsents: [{ clientId: id }],
    endAuthorizations: [{ clientId: id }],
    ...(id === APP_PASSWORD_CLIENT ? { endAppPasswords: [{ revokeTokens: stamp }] } : {}),
  })
  return {
    revokeClient: (id, by) =>
      acting((stamp) => ({
        ...ending(id, stamp),
        setClient: { id, revoked: true },
        audit: line('client.revoked', { client: id, by }),
      })),
    restoreClient: (id, by) =>
      acting(() => ({ setClient: { id, revoked: false }, audit: line('client.restored', { client: id, by }) })),
    endClient: (id, by) =>
      acting((stamp) => ({ ...ending(id, stamp), audit: line('client.ended', { client: id, by }) })),
  }
}

function userActs(
  acting: Acting,
): Pick<
  RevocationActs,
  'revokeUser' | 'revokeUserClient' | 'revokeConsent' | 'signOutEverywhere' | 'signOutBrowser' | 'disownSession'
> {
  const appEnds = (event: string) => (sub: string, clientId: string, by: string) =>
    acting((stamp) => ({
      revocations: [entry('sub_client', personKey(sub, clientId), stamp)],
      deleteConsents: [{ sub, clientId }],
      endAuthorizations: [{ sub, clientId, revokeTokens: stamp }],
      ...(clientId === APP_PASSWORD_CLIENT ? { endAppPasswords: [{ sub, revokeTokens: stamp }] } : {}),
      audit: line(event, { sub, client: clientId, by }),
    }))
  return {
    revokeUser: (sub, by) =>
      acting((stamp) => ({
        ...everything(sub, stamp),
        endAppPasswords: [{ sub, revokeTokens: stamp }],
        deleteConsents: [{ sub }],
        audit: line('authorization.ended', { sub, by }),
      })),
    revokeUserClient: appEnds('authorization.ended'),
    revokeConsent: appEnds('consent.revoked'),
    signOutEverywhere: (sub, by, appPasswords = false) =>
      acting((stamp) => ({
        ...everything(sub, stamp),
        ...(appPasswords ? { endAppPasswords: [{ sub, revokeTokens: stamp }] } : {}),
        audit: line('session.ended', { sub, everywhere: true, by }),
      })),
    signOutBrowser: (sub, issuerSession, by, about = {}) =>
      acting((stamp) => ({
        endBrowserSessions: [{ issuerSession, sub, clientId: BROWSER_CLIENT, revokeTokens: stamp }],
        audit: line('session.ended', { sub, by, ...about }),
      })),
    disownSession: (sub, issuerSession, passwordDue, by) =>
      acting((stamp) => ({
        endBrowserSessions: [{ issuerSession, sub, withAuthorizations: true, revokeTokens: stamp }],
        ...(passwordDue ? { passwordDue: { sub, at: Math.floor(stamp.notBeforeMs / 1000) } } : {}),
        audit: line('session.disowned', { sub, by }),
      })),
  }
}

function tokenActs(acting: Acting): Pick<RevocationActs, 'revokeJti' | 'revokeAuthorization' | 'revokeAppPassword'> {
  return {
    revokeAppPassword: (id, by, whose) =>
      acting((stamp) => ({
        endAppPasswords: [{ id, revokeTokens: stamp }],
        audit: line('app_password.revoked', { id, ...whose, by }),
      })),
    revokeJti: (jti, exp, by, whose) =>
      acting((stamp) => {
        const expiresAt = exp === undefined ? stamp.expiresAt : Math.ceil(exp) + TOLERANCE_SECONDS
        return {
          revocations: [entry('jti', jti, { ...stamp, expiresAt })],
          audit: line('token.revoked', { jti, ...whose, by }),
        }
      }),
    revokeAuthorization: (gid, by, whose) =>
      acting((stamp) => ({
        revocations: [entry('gid', gid, stamp)],
        endAuthorizations: [{ gid }],
        audit: line('authorization.ended', { gid, ...whose, by }),
      })),
  }
}

function settingActs(
  acting: Acting,
  { store, adminGroups }: ActOptions,
): Pick<
  RevocationActs,
  'disableUser' | 'enableUser' | 'changeGroups' | 'changeUser' | 'changePassword' | 'setUpByLink'
> {
  return {
    disableUser: (sub, by) =>
      withLinks(store, sub, true, () =>
        acting((stamp) => ({
          ...everything(sub, stamp),
          endAppPasswords: [{ sub, revokeTokens: stamp }],
          deleteConsents: [{ sub }],
          setUser: { sub, disabled: true },
          voidLinksOf: sub,
          audit: line('user.disabled', { sub, by }),
        })),
      ),
    enableUser: (sub, by) =>
      acting(() => ({ setUser: { sub, disabled: false }, audit: line('user.enabled', { sub, by }) })),
    changeGroups: async (sub, groups, by) => {
      const before = (await store.userBySub(sub))?.groups ?? []
      const removed = before.filter((group) => !groups.includes(group))
      const steppedDown = removed.some((group) => adminGroups?.().includes(group) ?? true)
      return withLinks(store, sub, steppedDown, () =>
        acting((stamp) => ({
          revocations: removed.map((group) => entry('sub_group', personKey(sub, group), stamp)),
          lostGroups: { notBeforeMs: stamp.notBeforeMs, expiresAt: stamp.expiresAt },
          setUser: { sub, groups },
          audit: line('user.changed', { sub, fields: ['groups'], groups, removed, by }),
        })),
      )
    },
    changeUser: async (sub, change, by) => {
      const before = (await store.userBySub(sub))?.groups ?? []
      const removed = change.groups === undefined ? [] : before.filter((group) => !change.groups?.includes(group))
      const fields = Object.keys(change)
      const groups = change.groups === undefined ? {} : { groups: change.groups, removed }
      const steppedDown = removed.some((group) => adminGroups?.().includes(group) ?? true)
      return withLinks(store, sub, steppedDown, () =>
        acting((stamp) => ({
          revocations: removed.map((group) => entry('sub_group', personKey(sub, group), stamp)),
          lostGroups: { notBeforeMs: stamp.notBeforeMs, expiresAt: stamp.expiresAt },
          setUser: { sub, ...change },
          audit: line('user.changed', { sub, fields, ...groups, by }),
        })),
      )
    },
    changePassword: (sub, passwordHash, inHand, by) =>
      acting((stamp) => ({
        ...(inHand.exceptGid === undefined ? everything(sub, stamp) : {}),
        endAuthorizations: [
          {
            ...{ sub, revokeTokens: stamp, exceptGid: inHand.exceptGid },
            exceptIssuerSession: inHand.exceptUid === undefined ? undefined : lookupKey(inHand.exceptUid),
          },
        ],
        ...(inHand.keepAppPasswords === true ? {} : { endAppPasswords: [{ sub, revokeTokens: stamp }] }),
        endSessions: [{ sub, exceptUid: inHand.exceptUid }],
        setUser: { sub, passwordHash },
        voidLinksOf: sub,
        audit: line('user.password_changed', { sub, by }),
      })),
    setUpByLink: (sub, change, detail) =>
      acting((stamp) => ({
        ...everything(sub, stamp),
        endAppPasswords: [{ sub, revokeTokens: stamp }],
        setUser: { sub, ...change },
        audit: line('link.used', { sub, ...detail }),
      })),
  }
}

/** The links that an administrator has made go with the office. */
function withLinks<T>(store: ActOptions['store'], sub: string, go: boolean, act: () => Promise<T>): Promise<T> {
  const work = async (): Promise<T> => {
    const result = await act()
    await store.voidLinksMadeBy(sub)
    return result
  }
  return go ? store.unit(work, () => true) : act()
}
