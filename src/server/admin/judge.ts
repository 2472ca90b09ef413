import type { AdminJudge, Judged } from '../../admin/dependencies.ts'
import type { Route } from '../../core/route.ts'
import { headOf } from '../../explain/client-kinds.ts'
import { type Explanation, explain } from '../../explain/explain.ts'
import type { Runtime } from '../runtime.ts'

const MASK = '••••'

/** The functions that judge requests, for the API: what it shows of them holds no secret of the file. */
export function adminJudge({ state, verifier }: Pick<Runtime, 'state' | 'verifier'>): AdminJudge {
  return {
    judge: async ({ method, url, address }, evidence, now) => {
      const { config, policy } = state.active
      const head = headOf(config.publicOrigin, method, url, { address })
      if (head === undefined) return undefined
      const explanation = await explain({ policy, head, gather: () => evidence, now })
      const route = config.routes.find(({ id }) => id === explanation.route)
      return judgedOf(explanation, route)
    },
    verify: async (token, now) => verifier.verify({ scheme: 'bearer', token }, now),
  }
}

function judgedOf({ route: id, checks, verdict }: Explanation, route: Route | undefined): Judged {
  const shared = { route: id, checks }
  switch (verdict.outcome) {
    case 'deny':
      return { ...shared, outcome: 'refused', reason: verdict.reason, upstream: undefined }
    case 'preflight':
    case 'reserved':
      return { ...shared, outcome: 'ok', reason: undefined, upstream: undefined }
    case 'forward': {
      if (route === undefined) throw new Error('what goes upstream has no route')
      const { url, headers } = verdict.upstream
      const upstream = { url, headers: masked(headers, route) }
      return { ...shared, outcome: 'ok', reason: undefined, upstream }
    }
  }
}

/** What the file sets is masked: it may be a credential of the upstream's. */
function masked(headers: readonly string[], { setHeaders, headers: further }: Route): readonly string[] {
  const fixed = further.filter((source) => 'text' in source).map(({ name }) => name)
  const secret = new Set(
    [...setHeaders.map(({ name }) => name), ...fixed, 'authorization'].map((name) => name.toLowerCase()),
  )
  return headers.map((text, index) => {
    const name = headers[index - 1] ?? ''
    return index % 2 === 1 && secret.has(name.toLowerCase()) ? MASK : text
  })
}
