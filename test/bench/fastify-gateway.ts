import { readFileSync } from 'node:fs'
import proxy from '@fastify/http-proxy'
import fastify from 'fastify'
import { createLocalJWKSet, jwtVerify } from 'jose'

const [port, upstream, jwksFile, issuer, audience, scope] = process.argv.slice(2)
const keys = createLocalJWKSet(JSON.parse(readFileSync(jwksFile ?? '', 'utf8')))
const app = fastify()
await app.register(proxy, {
  upstream: upstream ?? '',
  preHandler: async (request, reply) => {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined) return reply.code(401).send()
    try {
      const options = { issuer: issuer ?? '', audience: audience ?? '', typ: 'at+jwt', algorithms: ['ES256'] }
      const { payload } = await jwtVerify(token, keys, options)
      if (
        !String(payload.scope)
          .split(' ')
          .includes(scope ?? '')
      )
        return reply.code(403).send()
    } catch {
      return reply.code(401).send()
    }
  },
})
await app.listen({ port: Number(port), host: '127.0.0.1' })
