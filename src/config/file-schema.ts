import { z } from 'zod'
import { LISTEN_FORM, parseListen, parseNetwork } from './addresses.ts'
import { ISSUER, TRUSTED_ISSUER } from './issuer-schema.ts'
import { faulty, type Parsed, parsed, plainText, textLeaf, wordLeaf } from './leaf.ts'
import { RESOURCE } from './resource-schema.ts'
import { ROUTE } from './route-schema.ts'
import { isBareOrigin, parseSafeUrl } from './url.ts'

/** Everything that routes.yaml may hold. What validates is also what the JSON Schema is made from: there is no second list. */
export const FILE = z
  .strictObject({
    public_url: textLeaf(
      'Where clients reach the gateway; exactly this string is the issuer identifier.',
      parsePublicUrl,
    ),
    listen: textLeaf(
      'Address of the gateway; localhost is both loopback addresses.',
      parseListen,
      LISTEN_FORM,
    ).prefault('localhost:8080'),
    management: textLeaf('Address of /metrics, /healthz and /readyz.', parseListen, LISTEN_FORM).optional(),
    tls: z
      .strictObject({
        cert: textLeaf('PEM file with the certificate chain, relative to this file.', plainText),
        key: textLeaf('PEM file with the private key, relative to this file.', plainText),
      })
      .meta({ description: 'Certificate and key; read again when the files change.' })
      .optional(),
    trusted_proxies: z
      .array(textLeaf('An address, or a network such as 10.0.0.0/8.', parseNetwork))
      .meta({ description: 'Peers whose X-Forwarded-* are believed; default none.' })
      .prefault([]),
    store: textLeaf('`sqlite:PATH`, relative to this file.', parseStore).prefault('sqlite:./data/audgate.db'),
    access_log: wordLeaf('Which requests are logged.', ['all', 'refused', 'off']).prefault('all'),
    max_connections: z
      .int({ error: 'must be a whole number from 1 to 1000000' })
      .min(1, { error: 'must be a whole number from 1 to 1000000' })
      .max(1_000_000, { error: 'must be a whole number from 1 to 1000000' })
      .meta({ description: 'At most so many connections of clients.' })
      .prefault(10_000),
    workers: z
      .union([z.int().min(1).max(256), z.literal('auto')], { error: 'must be a whole number from 1 to 256, or auto' })
      .meta({ description: 'Processes that carry requests; `auto`: one for each core.' })
      .prefault(1),
    issuer: ISSUER.prefault({}),
    trusted_issuers: z
      .array(TRUSTED_ISSUER)
      .meta({ description: 'Tokens from elsewhere; nothing is trusted unless named here.' })
      .prefault([]),
    resources: z.array(RESOURCE).meta({ description: 'What tokens are made for.' }).prefault([]),
    routes: z.array(ROUTE).meta({ description: 'Which requests go where, and what they need.' }).prefault([]),
  })
  .meta({ title: 'audgate routes.yaml', description: `Every text may hold \${NAME} and \${NAME:-default}.` })

function parsePublicUrl(text: string): Parsed<string> {
  const result = parseSafeUrl(text)
  if (!result.ok) return result
  return isBareOrigin(text) ? parsed(text) : faulty('must have no path or query; the gateway has the whole origin')
}

/** The path only; it is made absolute where the file's folder is known. */
function parseStore(text: string): Parsed<string> {
  const path = text.startsWith('sqlite:') ? text.slice('sqlite:'.length) : ''
  if (path === '' || path === ':memory:') return faulty('must be sqlite:PATH with the path of a file')
  return /\p{Cc}/u.test(path) ? faulty('must not hold control characters') : parsed(path)
}
