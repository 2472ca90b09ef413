import type { DemoPlan } from './plan.ts'
import type { DemoPerson } from './seed.ts'

interface WalkthroughFacts {
  readonly plan: DemoPlan
  readonly people: readonly DemoPerson[]
  /** Relative to the folder in which the commands are pasted, or absolute. */
  readonly folder: string
  /** As the commands have to name it; undefined: `./routes.yaml`, which they find by themselves. */
  readonly file: string | undefined
}

/** A command for a POSIX shell, and what it answers; `…` stands for what is left out. */
interface Step {
  readonly command: string
  readonly answer: string
}

/** The file of {@link backupRequest} in the demo's folder. */
export const BACKUP_FILE = 'photo-backup.curl'

/**
 * What `serve --demo` prints: how to sign in and what to paste into another terminal, each command on a line of its own with the
 * answer to expect behind `# →`. Works in any POSIX shell with curl.
 */
export function walkthrough(facts: WalkthroughFacts): string {
  const { plan, people } = facts
  const width = Math.max(...people.map(({ username }) => username.length))
  const signIn = people.map(
    (person) => `  ${person.username.padEnd(width)} / ${passwordOf(person)}  (${groupsOf(person)})`,
  )
  const chapters = storyOf(facts).map(([title, ...steps]) => [`# ${title}`, ...steps.map(line)].join('\n'))
  return [
    `audgate is at ${plan.origin}/ (the same story, with buttons). Sign in as`,
    ...signIn,
    '',
    `In a browser: ${webAddress(plan, 'photos')} (sign in once; ${webAddress(plan, 'files')} then asks for no password). Why was something refused? ${plan.origin}/admin/decisions says it to alice.`,
    '',
    'In another terminal, in this folder:',
    '',
    ...chapters,
    '',
    'Ctrl-C ends it; `npm start` again keeps people, clients and passwords.',
    '',
  ].join('\n')
}

/**
 * A curl configuration that asks for the backup client's token. A file, because the arguments of a command are for every user
 * of the machine to read.
 */
export function backupRequest(plan: DemoPlan, secret: string): string {
  return [
    `url = "${plan.origin}/oauth/token"`,
    `user = "photo-backup:${secret}"`,
    'data = "grant_type=client_credentials"',
    `data-urlencode = "resource=${plan.photos.resource}"`,
    'data = "scope=photos:read"',
    '',
  ].join('\n')
}

/** Where a browser opens a sample server. */
function webAddress({ origin }: DemoPlan, name: 'photos' | 'files'): string {
  const { protocol, port } = new URL(origin)
  return `${protocol}//${name}.localhost${port === '' ? '' : `:${port}`}/`
}

type Chapter = readonly [title: string, ...steps: readonly Step[]]

function storyOf({ plan, folder, file }: WalkthroughFacts): readonly Chapter[] {
  const { photos, files } = plan
  const picture = quoted(`${folder}/photo.png`)
  const audgate = (args: string): string =>
    `npx audgate ${args}${file === undefined ? '' : ` --config ${quoted(file)}`}`
  const token = audgate(`token --client photos-cli --resource ${quoted(photos.resource)}`)
  const whoami = `${photos.url}/whoami`
  const refused = (reason: string): string => `…"reason":"${reason}"… 401`
  return [
    [
      'A token for the photos, the photo, and what the photo server was told',
      { command: `TOKEN=$(${token})`, answer: 'open the link, sign in as alice' },
      { command: get('TOKEN', `${photos.url}/pictures/harbour`, `-o ${picture}`), answer: '200' },
      { command: get('TOKEN', whoami), answer: '…"x-auth-username": "alice"… 200' },
    ],
    [
      'The same token at the files: made for another door',
      { command: get('TOKEN', `${files.url}/`), answer: refused('audience_mismatch') },
    ],
    [
      'Bob is not in the group photos (open this link in a private window)',
      { command: `XDG_CONFIG_HOME=${absolute(`${folder}/bob`)} ${token}`, answer: 'not allowed… for bob' },
    ],
    [
      'A second client, a program without a person',
      {
        command: `BACKUP=$(curl -sK ${quoted(`${folder}/${BACKUP_FILE}`)} | sed 's/.*"access_token":"\\([^"]*\\).*/\\1/')`,
        answer: 'a token',
      },
      { command: get('BACKUP', whoami), answer: '…"x-auth-client": "photo-backup"… 200' },
    ],
    [
      'One client is revoked, within a second for a command beside the server; the other goes on',
      { command: `${audgate('revoke --client photos-cli')} && sleep 1`, answer: 'All tokens of photos-cli…' },
      { command: get('TOKEN', whoami), answer: refused('revoked') },
      { command: get('BACKUP', whoami), answer: '…"x-auth-client": "photo-backup"… 200' },
    ],
  ]
}

function get(variable: string, url: string, more = ''): string {
  return `curl -s ${more === '' ? '' : `${more} `}-w ' %{http_code}\\n' -H "Authorization: Bearer $${variable}" ${quoted(url)}`
}

function line({ command, answer }: Step): string {
  return `${command}  # → ${answer}`
}

function passwordOf({ username, password }: DemoPerson): string {
  return password ?? `the password that was set (\`npx audgate user passwd ${username}\` sets another)`
}

function groupsOf({ groups }: DemoPerson): string {
  return groups.length === 0 ? 'in no group' : `in ${groups.join(', ')}`
}

/** A path that begins at the root, which is how XDG_CONFIG_HOME is read. */
function absolute(path: string): string {
  return path.startsWith('/') ? quoted(path) : `"$PWD"/${quoted(path)}`
}

/** One word for the shell, whatever it holds. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
