// Passkeys: asks the browser for one, and sends its answer by the page's own form. Pages show nothing of them without this.
const form = document.querySelector('form[data-passkey]')
const makes = form?.dataset.passkey === 'create'
const trouble = form?.querySelector('.problem')
const state = { waiting: undefined }

const optionsOf = () => {
  const json = JSON.parse(form.dataset.options)
  return makes
    ? PublicKeyCredential.parseCreationOptionsFromJSON(json)
    : PublicKeyCredential.parseRequestOptionsFromJSON(json)
}

const send = (credential) => {
  form.elements.namedItem('passkey').value = JSON.stringify(credential.toJSON())
  form.requestSubmit()
}

// Nobody can tell a person who said no from a device that had nothing to show.
const tell = (error) => {
  if (error?.name === 'AbortError') return
  trouble.textContent =
    error?.name === 'InvalidStateError'
      ? 'This device has a passkey for your account already.'
      : 'No passkey came. Try again, or go on another way.'
  trouble.hidden = false
}

const ask = async () => {
  state.waiting?.abort()
  trouble.hidden = true
  try {
    const publicKey = optionsOf()
    send(await (makes ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey })))
  } catch (error) {
    tell(error)
    offer()
  }
}

/** Lets the browser offer passkeys where the name is typed. */
const offer = async () => {
  if (makes || document.querySelector('input[autocomplete~="webauthn"]') === null) return
  if ((await PublicKeyCredential.isConditionalMediationAvailable?.()) !== true) return
  state.waiting = new AbortController()
  try {
    const { signal } = state.waiting
    send(await navigator.credentials.get({ publicKey: optionsOf(), mediation: 'conditional', signal }))
  } catch (error) {
    if (error?.name !== 'AbortError' && error?.name !== 'NotAllowedError') tell(error)
  }
}

const known = makes ? 'parseCreationOptionsFromJSON' : 'parseRequestOptionsFromJSON'
if (form !== null && typeof PublicKeyCredential === 'function' && known in PublicKeyCredential) {
  form.hidden = false
  for (const without of document.querySelectorAll('[data-without-passkey]')) without.hidden = true
  form.querySelector('button[type="button"]').addEventListener('click', ask)
  offer()
  // The issuer waits five minutes for an answer; a page on which nothing was typed asks anew before.
  const again = form.dataset.again
  if (again !== undefined) {
    setTimeout(() => {
      const typed = [...document.querySelectorAll('input.input')].some(
        ({ value, defaultValue }) => value !== defaultValue,
      )
      if (!typed && document.activeElement?.tagName !== 'BUTTON') location.replace(again)
    }, 270_000)
  }
}
