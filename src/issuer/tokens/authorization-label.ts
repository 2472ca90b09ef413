import type { Store } from '../../store/store.ts'

const MODEL = 'AuthorizationLabel'
/** As long as the longest-lived code. */
const KEPT_SECONDS = 900

/** Keeps what the person knows the device by until the authorization is redeemed. @param now NumericDate, seconds. */
export async function keepLabel(store: Store, gid: string, label: string, now: number): Promise<void> {
  await store.putModel(MODEL, gid, { label }, {}, now + KEPT_SECONDS)
}

/** The label kept for an authorization; '' for none, and for one that has its record already. */
export async function takeLabel(store: Store, gid: string): Promise<string> {
  const [recorded] = await store.authorizations({ gid })
  if (recorded !== undefined) return recorded.label
  const kept = await store.model(MODEL, gid)
  return typeof kept?.label === 'string' ? kept.label : ''
}

const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/\bEdg(?:e|A|iOS)?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(?:Chrome|CriOS|Chromium)\//, 'Chrome'],
  [/\bVersion\/[\d.]+.*\bSafari\//, 'Safari'],
]
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
]

/** What a person knows a device by, from its User-Agent: `Firefox on Linux`; a program's own name; '' for none. */
export function deviceLabel(userAgent: string | undefined): string {
  const text = (userAgent ?? '').slice(0, 512)
  const browser = BROWSERS.find(([pattern]) => pattern.test(text))?.[1]
  const system = SYSTEMS.find(([pattern]) => pattern.test(text))?.[1]
  const product = browser ?? /^[A-Za-z][\w.-]{0,39}/.exec(text.replace(/^Mozilla\b/, ''))?.[0]
  return [product, system].filter((part) => part !== undefined).join(' on ')
}
