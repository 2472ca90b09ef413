import { createHash } from 'node:crypto'
import { formSource } from './page-answer.ts'
import { pageHeaders } from './pages/page-headers.ts'
import type { Middleware } from './token-endpoint.ts'

/**
 * Gives the library's page for `response_mode=form_post` the headers of every page: its one script may run, its form may lead
 * to the client, and nobody frames it. It works without the script, by a button.
 */
export const formPostPage: Middleware = async (ctx, next) => {
  await next()
  if (!ctx.path.startsWith('/oauth/authorize') || ctx.type !== 'text/html' || ctx.status === 303) return
  if (ctx.res.hasHeader('content-security-policy') || typeof ctx.body !== 'string') return
  const { oidc } = ctx as unknown as { oidc?: { params?: { redirect_uri?: unknown } } }
  const source = formSource(String(oidc?.params?.redirect_uri ?? ''))
  const headers = pageHeaders({ formAction: source === undefined ? [] : [source] })
  const script = /<script>([\s\S]*?)<\/script>/.exec(ctx.body)?.[1] ?? ''
  const hash = createHash('sha256').update(script).digest('base64')
  ctx.set({
    ...headers,
    'content-security-policy': `${headers['content-security-policy']}; script-src 'sha256-${hash}'`,
  })
}
