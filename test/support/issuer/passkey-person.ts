import assert from 'node:assert/strict'
import { formsOf, type Page, type Person } from './browser-less-person.ts'
import type { Quirks, SoftwarePasskey } from './software-passkey.ts'

/** What a page asks its browser with; undefined: it asks for no passkey. */
export function askedOn(page: Pick<Page, 'text'>): string | undefined {
  const [, options] = /data-options="([^"]*)"/.exec(page.text) ?? []
  return options?.replace(/&#(\d+);/g, (_all, code: string) => String.fromCharCode(Number(code)))
}

/** Does what the page's script does. */
export async function answer(
  person: Person,
  page: Page,
  passkey: SoftwarePasskey,
  quirks: Quirks = {},
  fields: Readonly<Record<string, string>> = {},
): Promise<Page> {
  const options = askedOn(page)
  const form = formsOf(page).find((each) => each.fields.has('passkey') && each.fields.has('ceremony'))
  if (options === undefined || form === undefined) assert.fail(`no passkey is asked for: ${page.text}`)
  const made = /data-passkey="create"/.test(page.text) ? passkey.create(options, quirks) : passkey.get(options, quirks)
  return person.send(page, form, { passkey: made, ...fields })
}

/** Presses the button of one of the account page's forms. */
export function press(
  person: Person,
  page: Page,
  step: string,
  fields: Readonly<Record<string, string>> = {},
  button?: string,
): Promise<Page> {
  const form = formsOf(page).find(({ action }) => action.endsWith(`/${step}`))
  if (form === undefined) assert.fail(`no form for ${step}: ${page.text}`)
  return person.send(page, form, fields, button)
}
