/** An element with its properties and children; strings become text, never markup. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

/** A message above everything; `problem` is read out at once. */
export function message(kind, text) {
  const line = element('p', { className: `notice ${kind}` }, text)
  if (kind === 'problem') line.setAttribute('role', 'alert')
  place('message').replaceChildren(line)
}

/** What a token says, as a list: the audience first, since it is the point. */
export function permission(claims) {
  const rows = [
    ['Made for', claims.aud],
    ['May', claims.scope],
    ['You are', claims.username ?? claims.sub],
    ['This app is', claims.client_id],
    ['Until', new Date(claims.exp * 1000).toLocaleTimeString()],
  ].map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, String(value))))
  place('permission').replaceChildren(element('dl', { className: 'facts' }, ...rows))
}

/** One request and its answer, with the gateway's own explanation where it refused. */
export async function showAnswer(path, response) {
  const text = await response.text()
  const kind = response.ok ? 'done' : 'problem'
  const headline = `GET ${path} → ${response.status}${response.ok ? '' : `, ${reasonIn(text)}`}`
  const parts = [element('p', { className: `notice ${kind}` }, headline)]
  const challenge = response.headers.get('www-authenticate')
  if (challenge !== null) parts.push(block(`WWW-Authenticate: ${challenge}`))
  parts.push(block(indented(text).slice(0, 4000)))
  place('answer').replaceChildren(...parts)
}

/** The reason in a problem document, or words for none. */
export function reasonIn(text) {
  try {
    const { reason, error } = JSON.parse(text)
    return reason ?? error ?? 'no reason given'
  } catch {
    return 'no reason given'
  }
}

/** One more request in the row; the last 60 stay. */
export function tick(ok, said) {
  const row = place('ticks')
  row.append(element('span', { className: ok ? 'tick ok' : 'tick refused', title: said }))
  while (row.childElementCount > 60) row.firstElementChild?.remove()
  row.setAttribute('aria-label', `The last request: ${said}`)
}

/** The element with this id. */
export function place(id) {
  return document.getElementById(id)
}

function block(text) {
  return element('pre', {}, element('code', {}, text))
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
