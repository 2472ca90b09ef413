// Shortcuts, copying and relative times. Every page does without it.
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

for (const source of document.querySelectorAll('[data-copy]')) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'button link'
  button.textContent = 'Copy'
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(source.textContent ?? '')
    button.textContent = 'Copied'
  })
  source.after(' ', button)
}

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
