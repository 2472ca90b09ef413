import { bent, type Case, describeCases, GOOD, withTopLines } from './files.ts'

/** A second resource, from line 9 on. */
function secondResource(...lines: readonly string[]): string {
  return GOOD.replace('routes:', `  - ${lines.join('\n    ')}\nroutes:`)
}

const RESOURCES: readonly Case[] = [
  {
    rule: 'an id is an absolute URL',
    text: bent('id: https://gate.example.com/photos', 'id: photos'),
    problem: /^3:9: .*absolute/,
  },
  {
    rule: 'an id has no fragment',
    text: bent('id: https://gate.example.com/photos', 'id: https://gate.example.com/photos#a'),
    problem: /^3:9: .*fragment/,
  },
  {
    rule: 'an id is http for loopback hosts only',
    text: bent('id: https://gate', 'id: http://gate'),
    problem: /^3:9: .*https/,
  },
  {
    rule: 'an id is no URL that clients rewrite',
    text: bent('id: https://gate.example.com/photos', 'id: https://gate.example.com/a/../photos'),
    problem: /^3:9: .*dot segments/,
  },
  {
    rule: 'two ids that differ in a default port are one',
    text: secondResource('id: https://GATE.example.com:443/photos', 'name: Again', 'scopes: { x: y }'),
    problem: /^9:9: the same resource stands in line 3/,
  },
  {
    rule: 'a scope belongs to one resource',
    text: secondResource('id: https://gate.example.com/b', 'name: B', 'scopes: { photos:read: y }'),
    problem: /^11:28: the same scope stands in line 5/,
  },
  { rule: 'a scope is one token', text: bent('photos:write: Change', '"a b": Change'), problem: /^5:40: / },
  {
    rule: 'what OpenID Connect means something by is no scope of a resource',
    text: bent('photos:write: Change', 'email: Change'),
    problem: /^5:40: .*openid, profile, email, address, phone, offline_access/,
  },
  {
    rule: 'openid is no scope of a resource',
    text: bent('photos:write: Change', 'openid: Change'),
    problem: /^5:40: .*openid/,
  },
  {
    rule: 'the admin API keeps its scopes',
    text: bent('photos:write: Change', 'admin:read: Change'),
    problem: /^5:40: .*admin API/,
  },
  {
    rule: 'the admin API keeps its id',
    text: secondResource('id: https://gate.example.com/admin/api', 'name: B', 'scopes: { x: y }'),
    problem: /^9:9: .*admin API/,
  },
  {
    rule: 'a grant gives scopes of its resource',
    text: bent('        scopes: [photos:read]\nroutes', '        scopes: [photos:reed]\nroutes'),
    problem: /^8:18: .*no scope `photos:reed`; it has photos:read, photos:write/,
  },
  {
    rule: 'a grant names a group',
    text: bent('groups: [photos]', 'groups: []'),
    problem: /^7:17: .*at least one group/,
  },
  {
    rule: 'issuers are known',
    text: bent('    grants:', '    issuers: [https://x.example.com]\n    grants:'),
    problem: /^6:15: .*none of trusted_issuers/,
  },
  {
    rule: 'without an issuer, a resource names whom it trusts',
    text: withTopLines('issuer: false'),
    problem: /^4:5: `issuers` is missing/,
  },
  {
    rule: 'without an issuer, there is no `embedded`',
    text: withTopLines('issuer: false').replace('    grants:', '    issuers: [embedded]\n    grants:'),
    problem: /^7:15: .*no embedded issuer/,
  },
  {
    rule: 'another resource is no further audience',
    text: secondResource(
      'id: https://gate.example.com/b',
      'name: B',
      'scopes: { x: y }',
      'accept_audiences: [https://gate.example.com/photos]',
    ),
    problem: /^12:24: .*another resource/,
  },
  {
    rule: 'no claim replaces one that every token has',
    text: bent('    grants:', '    claims: [sub]\n    grants:'),
    problem: /^6:14: /,
  },
]

describeCases('Problems: Resources', RESOURCES)
