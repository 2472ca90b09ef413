import { MARK_PATH, OFFICE_SCRIPT_PATH, OFFICE_STYLESHEET_PATH } from '../issuer/pages/assets.ts'
import { attributes, type Html, html, htmlText } from '../issuer/pages/html.ts'
import { plainWords } from '../issuer/pages/words.ts'

/** What a page shows within the frame. `content` has no h1; `title` is it. */
export interface PageContent {
  readonly title: string
  /** A line below the title. */
  readonly lead?: Html | string | undefined
  readonly content: Html
  readonly status?: number
  /** Its script asks this origin for more. */
  readonly connects?: true
}

interface Frame {
  /** Host of the gateway. */
  readonly site: string
  /** Path of the page, for the menu. */
  readonly path: string
  readonly username: string
  /** Hidden guard field of the sign-out form. */
  readonly guard: Html
}

const MENU: readonly (readonly [path: string, label: string])[] = [
  ['/admin', 'Overview'],
  ['/admin/decisions', 'Decisions'],
  ['/admin/try', 'Try access'],
  ['/admin/access', 'Who may what'],
  ['/admin/routes', 'Routes'],
  ['/admin/people', 'People'],
  ['/admin/groups', 'Groups'],
  ['/admin/clients', 'Clients'],
  ['/admin/authorizations', 'Authorizations'],
  ['/admin/audit', 'Audit'],
  ['/admin/system', 'System'],
]

/** The complete document of an operator's page. */
export function officeDocument({ site, path, username, guard }: Frame, page: PageContent): string {
  const links = MENU.map(([href, label]) => {
    const here = href === '/admin' ? path === href : path === href || path.startsWith(`${href}/`)
    return html`<li><a ${attributes({ href, 'aria-current': here ? 'page' : undefined })}>${label}</a></li>`
  })
  const title = plainWords(page.title, 150, 'Untitled')
  return htmlText(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · ${site}</title>
<link rel="stylesheet" href="${OFFICE_STYLESHEET_PATH}">
<link rel="icon" type="image/svg+xml" href="${MARK_PATH}">
<script type="module" src="${OFFICE_SCRIPT_PATH}"></script>
</head>
<body class="office">
<a class="skip" href="#main">Skip to the content</a>
<header class="bar">
<a class="home" href="/admin"><img src="${MARK_PATH}" alt="" width="24" height="24">${site}</a>
<form class="search" method="get" action="/admin/find" role="search"><input class="input" id="search" type="search" name="q" maxlength="256" aria-label="Find a request id, a person or a client" placeholder="Request id, person or client"></form>
<span><bdi>${plainWords(username, 64)}</bdi></span>
<form method="post" action="/admin/sign-out">${guard}<button class="button link" type="submit">Sign out</button></form>
</header>
<nav aria-label="Pages"><ul>${links}</ul></nav>
<main id="main" tabindex="-1">
<h1>${title}</h1>
${page.lead !== undefined && html`<p class="lead">${page.lead}</p>`}
${page.content}
</main>
</body>
</html>
`)
}
