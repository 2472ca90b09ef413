import { bent, type Case, describeCases, GOOD, withRouteLines, withTopLines } from './files.ts'

const YAML: readonly Case[] = [
  { rule: 'an empty file says what it needs', text: '', problem: /^1:1: .*public_url/ },
  { rule: 'a list is no file', text: '- a\n', problem: /^1:1: the file must be a map/ },
  { rule: 'a doubled key', text: `${GOOD}routes: []\n`, problem: /^17:1: this key stands here twice/ },
  { rule: 'two documents', text: `${GOOD}---\n${GOOD}`, problem: /^17:1: a second document/ },
  { rule: 'broken YAML says where', text: 'public_url: [\n', problem: /^2:1: / },
  { rule: 'an unknown tag', text: bent('https://gate', '!env https://gate'), problem: /^1:13: Unresolved tag/ },
  { rule: 'merge keys', text: withTopLines('<<: { a: b }'), problem: /^2:1: merge keys/ },
  {
    rule: 'a number where a text belongs',
    text: bent('name: Photo library', 'name: 2024'),
    problem: /^4:11: .*quotes/,
  },
  {
    rule: 'a map where a list belongs',
    text: bent('groups: [photos]', 'groups: { a: b }'),
    problem: /^7:17: .*must be a list/,
  },
  {
    rule: 'a key that comes close to a known one',
    text: bent('    path: ', '    pathh: '),
    problem: /^11:5: unknown key `pathh` in `routes\[0\]`; did you mean `path`\?/,
  },
  {
    rule: 'a key in another spelling',
    text: withRouteLines('stripPath: true'),
    problem: /^17:5: .*did you mean `strip_path`\?/,
  },
  {
    rule: 'a key like no other',
    text: withTopLines('zebra: 1'),
    problem: /^2:1: unknown key `zebra`; known here: public_url, listen/,
  },
  {
    rule: 'a circle of aliases',
    text: withTopLines('zebra: &z [*z]'),
    problem: /^2:12: too many or too deeply nested/m,
  },
  { rule: 'deep nesting', text: '['.repeat(100_000), problem: /^1:1: .*nested too deeply/ },
  {
    rule: 'names of the prototype are ordinary keys',
    text: withTopLines('__proto__: 1', 'constructor: 2'),
    problem: /^2:1: unknown key `__proto__`[\s\S]*3:1: unknown key `constructor`/,
  },
]

describeCases('Problems: YAML', YAML)
