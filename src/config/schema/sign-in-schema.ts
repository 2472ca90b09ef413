import { z } from 'zod'
import { faulty, type Parsed, parsed, parseLifetime, plainText, textLeaf, wordLeaf } from './leaf.ts'

const DAY_SECONDS = 86_400
const WHO_MUST = 'must be optional, required, or a list of groups'

/** `issuer.sign_in`: how people show who they are. */
export const SIGN_IN = z
  .strictObject({
    passkeys: wordLeaf('Whether people may sign in by passkeys.', ['on', 'off']).prefault('on'),
    authenticator: wordLeaf('Whether people may add an authenticator app.', ['on', 'off']).prefault('on'),
    second_factor: z
      .union(
        [
          z.enum(['optional', 'required'], { error: WHO_MUST }),
          z
            .array(textLeaf('A group whose members must have one.', plainText))
            .min(1, { error: 'must name at least one group, or be optional or required' }),
        ],
        { error: WHO_MUST },
      )
      .meta({ description: 'Who must have a second factor; a passkey counts.' })
      .prefault('optional'),
    password_min: z
      .int({ error: 'must be a whole number from 8 to 64' })
      .min(8, { error: 'must be a whole number from 8 to 64' })
      .max(64, { error: 'must be a whole number from 8 to 64' })
      .meta({ description: 'The fewest characters of a new password.' })
      .prefault(15),
    remember_browser: z
      .union([z.literal(0), textLeaf('How long a browser is remembered; 1d to 90d.', parseRemembered)], {
        error: 'must be 0, or a duration from 1d to 90d',
      })
      .meta({ description: 'How long a browser is asked for no code after a password; 0: it is asked each time.' })
      .prefault(0),
  })
  .meta({ description: 'How people show who they are.' })

function parseRemembered(text: string): Parsed<number> {
  if (text === '0') return parsed(0)
  const result = parseLifetime(text, 90 * DAY_SECONDS)
  return result.ok && result.value >= DAY_SECONDS ? result : faulty('must be 0, or a duration from 1d to 90d')
}
