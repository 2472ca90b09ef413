// Shortcuts, relative times, and the rows of the Live page. Every other page does without it.
const chords = {
  o: '',
  d: '/decisions',
  t: '/try',
  r: '/routes',
  p: '/people',
  c: '/clients',
  a: '/audit',
  s: '/system',
}
const state = { chord: false }
const typing = (target) => target instanceof HTMLElement && target.closest('input, select, textarea') !== null

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return
  if (state.chord && event.key in chords) {
    location.assign(`/admin${chords[event.key]}`)
    return
  }
  state.chord = event.key === 'g'
  if (event.key !== '/') return
  event.preventDefault()
  document.querySelector('#search')?.focus()
})

const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const steps = [
  [60, 'second', 1],
  [3600, 'minute', 60],
  [86400, 'hour', 3600],
  [2592000, 'day', 86400],
]
const tellTimes = () => {
  for (const time of document.querySelectorAll('time[data-relative]')) {
    const seconds = Math.round((Date.parse(time.dateTime) - Date.now()) / 1000)
    const step = steps.find(([below]) => Math.abs(seconds) < below)
    if (step !== undefined) time.textContent = words.format(Math.round(seconds / step[2]), step[1])
  }
}
tellTimes()
setInterval(tellTimes, 30_000)

// Controls, marks that turn the reading direction, and what nobody sees: as the server's rows have none.
const UNSEEN = /(?!\u200c|\u200d|\ufe0e|\ufe0f)[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\u2800]/gu
const SIGNS = { ok: 'ok', refused: 'refused', failed: 'failed' }
const MOST_ROWS = 200

const make = (name, attributes, ...children) => {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}
const said = (text) =>
  make(
    'bdi',
    {},
    String(text ?? '')
      .slice(0, 300)
      .replace(UNSEEN, '') || '–',
  )

const rowOf = ({ request_id: id, at, method, host, path, outcome, reason, username, client, address }) => {
  const what = make(
    'a',
    { href: `/admin/decisions/${encodeURIComponent(id)}` },
    said(`${method} ${host ?? ''}${path ?? ''}`),
  )
  const verdict = make(
    'span',
    { class: `state ${SIGNS[outcome] ?? 'off'}` },
    said(reason ?? outcome.replaceAll('_', ' ')),
  )
  const by = client === undefined ? [] : [' by ', said(client)]
  const who = username === undefined && client === undefined ? [said(address)] : [said(username ?? ''), ...by]
  const when = make('time', { datetime: at, title: at, 'data-relative': '' }, at)
  const cell = (label, ...children) => make('td', { 'data-label': label }, ...children)
  return make(
    'tr',
    {},
    make('th', { scope: 'row' }, what),
    cell('Decision', verdict),
    cell('Who', ...who),
    cell('When', when),
    cell('Request id', make('code', {}, said(id))),
  )
}

const watchLive = (place) => {
  const [rows, sign, pause, note, empty] = ['rows', 'state', 'pause', 'waiting', 'empty'].map((name) =>
    document.querySelector(`#live-${name}`),
  )
  const held = { paused: false, over: false }
  const waiting = []
  const say = (state, text) => {
    sign.className = `state ${state}`
    sign.textContent = text
  }
  const isHeld = () => held.paused || held.over || document.hidden
  const show = () => {
    note.textContent = isHeld() && waiting.length > 0 ? `${waiting.length} waiting` : ''
    if (isHeld()) return
    for (const decision of waiting.splice(0)) rows.prepend(rowOf(decision))
    while (rows.children.length > MOST_ROWS) rows.lastElementChild.remove()
    empty.hidden = rows.children.length > 0
    tellTimes()
  }
  // The page is its address: loaded again it has the same filter, the newest rows and another ticket.
  const comeBack = async () => {
    if (!isHeld()) {
      const there = await fetch(document.querySelector('link[rel=stylesheet]').href, { cache: 'no-store' }).catch(
        () => undefined,
      )
      if (there?.ok) return location.reload()
    }
    setTimeout(comeBack, 2_000)
  }
  const source = new EventSource(place.dataset.stream)
  const state = { opened: false }
  source.addEventListener('open', () => {
    state.opened = true
    say('ok', 'live')
  })
  source.addEventListener('decision', ({ data }) => {
    waiting.push(JSON.parse(data))
    if (waiting.length > MOST_ROWS) waiting.shift()
    show()
  })
  source.addEventListener('gap', ({ data }) =>
    say('refused', `live; ${JSON.parse(data).missed} came too fast and were left out`),
  )
  source.addEventListener('end', () => {
    source.close()
    say('off', 'ended; connecting anew')
    setTimeout(comeBack, 1_000)
  })
  source.addEventListener('error', () => {
    source.close()
    if (!state.opened)
      return say('failed', 'not connected: load the page again. Two Live pages of yours may be open, ten in all.')
    say('refused', 'connection lost; trying again')
    setTimeout(comeBack, 1_000)
  })
  pause.hidden = false
  pause.addEventListener('click', () => {
    held.paused = !held.paused
    pause.setAttribute('aria-pressed', String(held.paused))
    pause.textContent = held.paused ? 'Go on' : 'Pause'
    show()
  })
  rows.addEventListener('pointerenter', () => {
    held.over = true
  })
  rows.addEventListener('pointerleave', () => {
    held.over = false
    show()
  })
  document.addEventListener('visibilitychange', show)
  // Back from another page: the stream of before is gone.
  addEventListener('pageshow', ({ persisted }) => persisted && location.reload())
}

const live = document.querySelector('#live')
if (live !== null) watchLive(live)
