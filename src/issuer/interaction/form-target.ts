import { GUARD_FIELD, guardValue } from '../http/form-guard.ts'
import type { FormTarget } from '../pages/form.ts'
import { type InteractionContext, interactionPath } from './context.ts'

/** A form of this interaction. */
export function formTarget({ context, interaction }: InteractionContext, step: string): FormTarget {
  const { uid } = interaction
  return { action: interactionPath(uid, step), hidden: { [GUARD_FIELD]: guardValue(context.masterKey, uid) } }
}
