import type { IncomingMessage, ServerResponse } from 'node:http'

const PREFLIGHT_SECONDS = 3600

/** Lets pages of any origin read the answer. Nothing behind it goes by cookies. */
export function allowAnyOrigin(response: ServerResponse): void {
  response.setHeader('access-control-allow-origin', '*')
  response.setHeader('access-control-expose-headers', 'WWW-Authenticate')
}

/** Answers the question that browsers ask before a request of another origin. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse, methods: string): void {
  allowAnyOrigin(response)
  response.setHeader('access-control-allow-methods', methods)
  response.setHeader('access-control-max-age', String(PREFLIGHT_SECONDS))
  response.setHeader('vary', 'Access-Control-Request-Headers')
  const asked = request.headers['access-control-request-headers']
  if (asked !== undefined) response.setHeader('access-control-allow-headers', asked)
  response.writeHead(204)
  response.end()
}
