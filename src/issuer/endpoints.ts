import type { IssuerContext } from './context.ts'
import { type EndpointName, endpointAt } from './http/endpoints.ts'
import { mayIssue, mayIssueToPeople } from './http/issuing-pause.ts'
import {
  askAgainByGet,
  dropQuery,
  keepUserCode,
  readForm,
  readQuery,
  readUserCodeForm,
  refuseForeignForm,
} from './http/provider-request.ts'
import {
  countRegistrations,
  limitRegistrations,
  readRegistrationBody,
  registrationIsOn,
} from './http/registration-request.ts'
import { type EndpointSteps, forAnyOrigin, inOrder, type Middleware, only } from './http/steps.ts'
import { slowPolls, tellInterval, userCodeTries } from './interaction/device-flow.ts'
import { stillRegistered, unverifiedErrors } from './interaction/provider-pages.ts'
import { leadOnAfterSignOut, signOutElsewhere, skipNeedlessSignOut } from './interaction/sign-out.ts'
import { completeMetadata, formPostPage, keptForAMinute, storeFaults, whenAllIsDone } from './provider/middleware.ts'
import { introspectOwn, type OwnTokens, revokeOwn } from './tokens/introspection.ts'
import type { RefreshAnswers } from './tokens/refresh-answers.ts'
import { askBefore, keepAnswers, oneUnit } from './tokens/token-endpoint.ts'

/** What happens at each of the library's endpoints. */
export type Endpoints = Readonly<Record<EndpointName, EndpointSteps>>

/** What the steps at the endpoints work with. */
interface EndpointParts {
  readonly context: IssuerContext
  readonly answers: RefreshAnswers
  readonly tokens: OwnTokens
}

/** The table of the library's endpoints: what happens to a request before the library reads it, and around its answer. */
export function createEndpoints({ context, answers, tokens }: EndpointParts): Endpoints {
  const look = only('GET', 'HEAD')
  const page = only('GET', 'HEAD', 'POST')
  const publicly = [only('GET', 'HEAD', 'OPTIONS'), readQuery]
  const byProgram = [only('POST', 'OPTIONS'), readQuery, readForm]
  const issuing = [only('POST', 'OPTIONS'), mayIssue, readQuery, readForm]
  return {
    metadata: { before: publicly, around: [keptForAMinute, completeMetadata(context.settings)] },
    jwks: { before: publicly, around: [keptForAMinute] },
    registration: {
      before: [
        registrationIsOn,
        forAnyOrigin('POST'),
        limitRegistrations,
        only('POST', 'OPTIONS'),
        readQuery,
        readRegistrationBody,
      ],
      around: [countRegistrations(context)],
    },
    pushed_authorization_request: { before: issuing, around: [] },
    authorization: {
      before: [page, mayIssueToPeople, readQuery, askAgainByGet],
      around: [unverifiedErrors(context), formPostPage(context)],
    },
    authorization_resumed: {
      before: [look, mayIssueToPeople, dropQuery],
      around: [stillRegistered(context), formPostPage(context)],
    },
    device_authorization: { before: issuing, around: [tellInterval] },
    code_verification: {
      before: [page, readQuery, keepUserCode, refuseForeignForm, readUserCodeForm],
      around: [userCodeTries(context)],
    },
    code_verification_resumed: { before: [look, dropQuery], around: [] },
    token: {
      before: issuing,
      around: [slowPolls(), askBefore(context), oneUnit(context), keepAnswers(context, answers)],
    },
    introspection: { before: byProgram, around: [introspectOwn(context, tokens)] },
    revocation: { before: byProgram, around: [oneUnit(context), revokeOwn(context, tokens)] },
    userinfo: { before: [only('GET', 'HEAD', 'POST', 'OPTIONS'), readQuery, readForm], around: [] },
    end_session: { before: [page, readQuery, askAgainByGet], around: [skipNeedlessSignOut] },
    end_session_confirm: {
      before: [only('POST'), readQuery, refuseForeignForm, readForm],
      around: [leadOnAfterSignOut(context), signOutElsewhere(context)],
    },
    end_session_success: { before: [look, readQuery], around: [] },
  }
}

/** The steps around the library as the one that it is given: those of the endpoint that a request is for. */
export function aroundLibrary(context: IssuerContext, endpoints: Endpoints): Middleware {
  const always = [storeFaults(context), whenAllIsDone]
  const ways = new Map(Object.entries(endpoints).map(([name, { around }]) => [name, inOrder([...always, ...around])]))
  return (ctx, next) => {
    const way = ways.get(endpointAt(ctx.path) ?? '')
    if (way === undefined) throw new TypeError('a request came to the library past the table of its endpoints')
    return way(ctx, next)
  }
}
