// A button beside each command that copies it. Without scripts the commands are there all the same.
for (const block of document.querySelectorAll('pre')) {
  const row = document.createElement('div')
  row.className = 'command'
  const button = document.createElement('button')
  button.className = 'button small'
  button.type = 'button'
  button.textContent = 'Copy'
  button.addEventListener('click', () => copy(block.textContent ?? '', button))
  block.replaceWith(row)
  row.append(block, button)
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text)
    button.textContent = 'Copied'
  } catch {
    button.textContent = 'Select it'
  }
  setTimeout(() => {
    button.textContent = 'Copy'
  }, 2000)
}
