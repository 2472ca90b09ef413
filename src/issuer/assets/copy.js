// A button behind each thing that is there to be copied; `data-copy` says what it is to whoever doesn't see it.
for (const source of document.querySelectorAll('[data-copy]')) {
  if (navigator.clipboard === undefined) break
  const button = document.createElement('button')
  const word = document.createElement('span')
  const what = document.createElement('span')
  button.type = 'button'
  button.className = 'button link'
  word.setAttribute('aria-live', 'polite')
  word.textContent = 'Copy'
  what.className = 'unseen'
  what.textContent = source.dataset.copy === '' ? '' : ` ${source.dataset.copy}`
  button.append(word, what)
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(source.textContent ?? '')
    word.textContent = 'Copied'
  })
  source.after(' ', button)
}
