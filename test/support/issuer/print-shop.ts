import { type AuthorizeOptions, authorizationAttempt, type Page } from './browser-less-person.ts'
import { type BlackBox, CALLBACK, Person, startBlackBox } from './served-issuer.ts'

/** What the third-party client of {@link startPrintShop} asks for. */
export const PRINT_SHOP_ASKS: AuthorizeOptions = {
  clientId: 'asker',
  redirectUri: CALLBACK,
  scope: 'photos:read files:read files:write',
}

/** A served issuer with a first-party client, a third party's that asks for consent, and people who may have all, some and none of it. */
export async function startPrintShop(): Promise<BlackBox> {
  const box = await startBlackBox()
  await box.addUser('alice', 'photos,files-editors')
  await box.addUser('bob', 'files')
  await box.addUser('eve', 'nobody')
  await box.addApp('cli')
  await box.addApp('asker', '--third-party', '--name', 'Print Shop')
  return box
}

/** The page that an authorization request leads this person to. */
export function askPage({ url }: BlackBox, person: Person, options: AuthorizeOptions): Promise<Page> {
  return person.open(authorizationAttempt(url, options).url)
}

/** The page after the password of somebody whose browser is new. */
export async function askPageSignedIn(box: BlackBox, name: string, options: AuthorizeOptions): Promise<[Person, Page]> {
  const person = new Person(box.url, name)
  return [person, await person.signIn(await askPage(box, person, options))]
}
