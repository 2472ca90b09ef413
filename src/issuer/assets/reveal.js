// Behind the first field for a new password of each form: a button that shows what is typed, until the form is sent.
for (const form of document.forms) {
  const fields = [...form.querySelectorAll('input[autocomplete="new-password"]')]
  if (fields.length === 0) continue
  const button = document.createElement('button')
  const show = (shown) => {
    for (const field of fields) field.type = shown ? 'text' : 'password'
    button.setAttribute('aria-pressed', String(shown))
    button.textContent = shown ? 'Hide password' : 'Show password'
  }
  button.type = 'button'
  button.className = 'button link'
  button.addEventListener('click', () => show(fields[0].type === 'password'))
  // Browsers keep what was typed into a field of text, and offer it again.
  form.addEventListener('submit', () => show(false))
  show(false)
  fields[0].after(button)
}
