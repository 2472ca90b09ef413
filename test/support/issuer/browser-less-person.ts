import { createHash, randomBytes } from 'node:crypto'
import { PASSWORD } from './issuer-under-test.ts'

/** A form on a page, as a browser without scripts would send it. */
export interface PageForm {
  readonly action: string
  readonly fields: URLSearchParams
  /** Values of the form's buttons that have a name, as `name=value`. */
  readonly buttons: readonly string[]
  /** Boxes that start ticked are among `fields`; all boxes are here. */
  readonly boxes: readonly string[]
}

export interface Page {
  readonly status: number
  readonly url: string
  readonly headers: Headers
  readonly text: string
}

export interface AuthorizeOptions {
  readonly clientId: string
  readonly redirectUri: string
  readonly scope?: string | undefined
  readonly resource?: string | readonly string[] | undefined
  readonly more?: Readonly<Record<string, string>> | undefined
}

/** An authorization request on its way: the secrets that the client keeps, and its URL. */
export interface AuthorizationAttempt {
  readonly url: string
  readonly verifier: string
  readonly state: string
}

/** The request that a client sends a person to the issuer with. */
export function authorizationAttempt(issuer: string, options: AuthorizeOptions): AuthorizationAttempt {
  const verifier = randomBytes(32).toString('base64url')
  const state = randomBytes(12).toString('base64url')
  const parameters = new URLSearchParams({
    response_type: 'code',
    client_id: options.clientId,
    redirect_uri: options.redirectUri,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state,
    ...options.more,
  })
  if (options.scope !== undefined) parameters.set('scope', options.scope)
  for (const resource of [options.resource ?? []].flat()) parameters.append('resource', resource)
  return { url: `${issuer}/oauth/authorize?${parameters}`, verifier, state }
}

/** A person with a browser that runs no scripts: keeps cookies, follows redirects within the issuer, sends forms. */
export class Person {
  readonly issuer: string
  readonly username: string
  readonly password: string
  readonly userAgent: string
  /** False: stops where an answer leads on, with that address as `url`. */
  follows = true
  readonly #cookies = new Map<string, { value: string; path: string }>()

  constructor(
    issuer: string,
    username: string,
    password: string = PASSWORD,
    userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  ) {
    this.issuer = issuer
    this.username = username
    this.password = password
    this.userAgent = userAgent
  }

  /** Values of the cookies by name, whatever their path. */
  cookies(): ReadonlyMap<string, string> {
    return new Map([...this.#cookies].map(([key, { value }]) => [key.split('|')[0] ?? '', value]))
  }

  /** Opens a URL; follows redirects as long as they stay with the issuer. The last Location elsewhere is `url`. */
  async open(url: string, init: RequestInit = {}): Promise<Page> {
    let target = new URL(url, this.issuer)
    let request = init
    for (let hop = 0; hop < 12; hop += 1) {
      const response = await fetch(target, {
        ...request,
        redirect: 'manual',
        headers: {
          accept: 'text/html,application/xhtml+xml',
          'user-agent': this.userAgent,
          cookie: this.#cookieHeader(target.pathname),
          ...(request.headers as Record<string, string>),
        },
      })
      this.#keepCookies(response, target.pathname)
      const text = await response.text()
      const location = response.headers.get('location') ?? leadOnOf(text)
      const page = { status: response.status, url: target.href, headers: response.headers, text }
      if (location === null) return page
      if (!this.follows) return { ...page, url: new URL(location, target).href }
      const next = new URL(location, target)
      if (next.origin !== new URL(this.issuer).origin) return { ...page, url: next.href }
      target = next
      request = {}
    }
    throw new Error(`redirects without end from ${url}`)
  }

  /** Sends one of a page's forms. @param button `name=value` of the button that is pressed. */
  async send(
    page: Page,
    form: PageForm,
    changes: Readonly<Record<string, string>> = {},
    button?: string,
  ): Promise<Page> {
    const fields = new URLSearchParams(form.fields)
    for (const [name, value] of Object.entries(changes)) fields.set(name, value)
    const [name, value] = (button ?? '').split('=')
    if (name !== undefined && name !== '') fields.append(name, value ?? '')
    return this.open(new URL(form.action, page.url).href, {
      method: 'POST',
      body: fields.toString(),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        origin: new URL(this.issuer).origin,
        'sec-fetch-site': 'same-origin',
      },
    })
  }

  /** Types name and password into a sign-in page. */
  signIn(page: Page, password: string = this.password): Promise<Page> {
    return this.send(page, formWith(page, 'password'), { username: this.username, password })
  }

  /** Presses a `decision` button; `ticked` boxes instead of those that start ticked. */
  decide(page: Page, decision: 'approve' | 'deny', ticked?: readonly string[]): Promise<Page> {
    const form = formsOf(page).find(({ buttons }) => buttons.includes(`decision=${decision}`))
    if (form === undefined) throw new Error(`no button to ${decision} on this page: ${page.text}`)
    if (ticked === undefined) return this.send(page, form, {}, `decision=${decision}`)
    const fields = new URLSearchParams(form.fields)
    fields.delete('scope')
    for (const scope of ticked) fields.append('scope', scope)
    return this.send(page, { ...form, fields }, {}, `decision=${decision}`)
  }

  /** Goes through sign-in and approval until the issuer sends the browser away, or shows something else. */
  async authorize(
    options: AuthorizeOptions,
    ticked?: readonly string[],
  ): Promise<Page & AuthorizationAttempt & { readonly code: string }> {
    const attempt = authorizationAttempt(this.issuer, options)
    let page = await this.open(attempt.url)
    for (let step = 0; step < 4 && isOurs(page, this.issuer); step += 1) {
      if (/name="password"/.test(page.text)) page = await this.signIn(page)
      else if (/value="approve"/.test(page.text)) page = await this.decide(page, 'approve', ticked)
      else break
    }
    const code = isOurs(page, this.issuer) ? '' : (new URL(page.url).searchParams.get('code') ?? '')
    return { ...page, ...attempt, url: page.url, code }
  }

  #cookieHeader(path: string): string {
    return [...this.#cookies]
      .filter(
        ([, cookie]) =>
          path === cookie.path || path.startsWith(cookie.path.endsWith('/') ? cookie.path : `${cookie.path}/`),
      )
      .map(([key, { value }]) => `${key.split('|')[0]}=${value}`)
      .join('; ')
  }

  #keepCookies(response: Response, requestPath: string): void {
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
      const cut = pair.indexOf('=')
      const [name, value] = [pair.slice(0, cut), pair.slice(cut + 1)]
      const attribute = (wanted: string): string | undefined =>
        attributes.find((each) => each.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1)
      const path = attribute('path') ?? requestPath.replace(/\/[^/]*$/, '')
      const expires = attribute('expires')
      const over = attribute('max-age') === '0' || (expires !== undefined && Date.parse(expires) <= Date.now())
      if (over) this.#cookies.delete(`${name}|${path}`)
      else this.#cookies.set(`${name}|${path}`, { value, path })
    }
  }
}

/** Redeems a code at the token endpoint; the raw answer. */
export function redeem(
  issuer: string,
  attempt: { readonly code: string; readonly verifier: string },
  options: Pick<AuthorizeOptions, 'clientId' | 'redirectUri'> & {
    readonly resource?: string | readonly string[] | undefined
    readonly more?: Readonly<Record<string, string>> | undefined
    readonly headers?: Readonly<Record<string, string>>
  },
): Promise<TokenAnswer> {
  return askToken(
    issuer,
    {
      grant_type: 'authorization_code',
      code: attempt.code,
      code_verifier: attempt.verifier,
      redirect_uri: options.redirectUri,
      client_id: options.clientId,
      resource: options.resource,
      ...options.more,
    },
    options.headers,
  )
}

export interface TokenAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>> & {
    readonly access_token?: string
    readonly refresh_token?: string
    readonly id_token?: string
    readonly error?: string
    readonly error_description?: string
    readonly scope?: string
  }
}

/** Posts to the token endpoint. */
export async function askToken(
  issuer: string,
  parameters: Readonly<Record<string, string | readonly string[] | undefined>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<TokenAnswer> {
  return post(`${issuer}/oauth/token`, parameters, headers)
}

/** Posts a form; lists become repeated parameters. */
export async function post(
  url: string,
  parameters: Readonly<Record<string, string | readonly string[] | undefined>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<TokenAnswer> {
  const body = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of [value ?? []].flat()) body.append(name, each)
  }
  const response = await fetch(url, { method: 'POST', body, headers: { ...headers } })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
}

/** The payload of a JWT; nothing is checked. */
export function claimsOf(jwt: string | undefined): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from((jwt ?? '').split('.')[1] ?? '', 'base64url').toString('utf8'))
}

/** Where a page leads by itself. */
export function leadOnOf(text: string): string | null {
  const tag = /<meta http-equiv="refresh" [^>]*>/.exec(text)?.[0]
  return tag === undefined ? null : (/^0; url=(.+)$/.exec(attributeOf(tag, 'content') ?? '')?.[1] ?? null)
}

/** The forms of a page. */
export function formsOf(page: Pick<Page, 'text'>): readonly PageForm[] {
  return [...page.text.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map(([, tag = '', content = '']) => {
    const inputs = [...content.matchAll(/<input\b([^>]*)>/g)].map(([, attributes = '']) => attributes)
    const fields = new URLSearchParams()
    for (const input of inputs) {
      const name = attributeOf(input, 'name')
      const box = attributeOf(input, 'type') === 'checkbox'
      if (name !== undefined && (!box || /\bchecked\b/.test(input)))
        fields.append(name, attributeOf(input, 'value') ?? '')
    }
    const boxes = inputs
      .filter((input) => attributeOf(input, 'type') === 'checkbox')
      .map((input) => attributeOf(input, 'value') ?? '')
    const buttons = [...content.matchAll(/<button\b([^>]*)>/g)].flatMap(([, attributes = '']) => {
      const name = attributeOf(attributes, 'name')
      return name === undefined ? [] : [`${name}=${attributeOf(attributes, 'value') ?? ''}`]
    })
    return { action: attributeOf(tag, 'action') ?? '', fields, buttons, boxes }
  })
}

/** The form that has a field of this name. */
export function formWith(page: Pick<Page, 'text'>, field: string): PageForm {
  const form = formsOf(page).find(({ fields }) => fields.has(field))
  if (form === undefined) throw new Error(`no form with ${field} on this page: ${page.text}`)
  return form
}

function attributeOf(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1]
  return value?.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
}

function isOurs(page: Page, issuer: string): boolean {
  return new URL(page.url).origin === new URL(issuer).origin
}
