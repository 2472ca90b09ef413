import { z } from 'zod'
import { nearest } from './schema/leaf.ts'
import {
  nameOf,
  type Path,
  type Problems,
  quoted,
  type SourceMap,
  type SourceNode,
  type SourceScalar,
} from './source.ts'

/** The value of `node` by `schema`, as `Draft` in draft.ts describes it; every problem is reported at its own place. */
function readNode(schema: unknown, node: SourceNode, path: Path, problems: Problems): unknown {
  if (node.kind === 'unknown') return undefined
  if (node.kind === 'scalar' && node.value === null) {
    problems.add(node.at, `${nameOf(path)} has no value; write one or remove the key`)
    return undefined
  }
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault) {
    return readNode(schema.unwrap(), node, path, problems)
  }
  if (schema instanceof z.ZodUnion) return readUnion(schema, node, path, problems)
  if (schema instanceof z.ZodObject) return readObject(schema, node, path, problems)
  if (schema instanceof z.ZodRecord) return readRecord(schema, node, path, problems)
  if (schema instanceof z.ZodArray) return readArray(schema, node, path, problems)
  return schema instanceof z.ZodType ? readLeaf(schema, node, path, problems) : undefined
}

function readObject(schema: z.ZodObject, node: SourceNode, path: Path, problems: Problems): unknown {
  if (node.kind !== 'map') return mismatch(node, path, problems, 'must be a map of keys and values')
  const draft: Record<string, unknown> = {}
  for (const [key, child] of Object.entries(schema.shape)) {
    const entry = node.entries.get(key)
    draft[key] = entry === undefined ? absent(child, node, [...path, key], problems) : undefined
    if (entry !== undefined) draft[key] = readNode(child, entry.value, [...path, key], problems)
  }
  reportUnknownKeys(schema, node, path, problems)
  return draft
}

function absent(schema: unknown, parent: SourceMap, path: Path, problems: Problems): unknown {
  if (schema instanceof z.ZodOptional) return undefined
  if (!(schema instanceof z.ZodPrefault)) {
    problems.add(parent.at, `${nameOf(path)} is missing`)
    return undefined
  }
  return readNode(schema.unwrap(), sourceOf(schema.def.defaultValue, parent.at), path, problems)
}

function reportUnknownKeys(schema: z.ZodObject, node: SourceMap, path: Path, problems: Problems): void {
  const known = Object.keys(schema.shape)
  for (const [key, { keyAt }] of node.entries) {
    if (Object.hasOwn(schema.shape, key)) continue
    const near = nearest(key, known)
    const hint = near === undefined ? `known here: ${known.join(', ')}` : `did you mean \`${near}\`?`
    problems.add(keyAt, `unknown key ${quoted(key)}${path.length === 0 ? '' : ` in ${nameOf(path)}`}; ${hint}`)
  }
}

/** The option is chosen by the kind of value; of several maps, by the most required keys that are there. */
function readUnion(schema: z.ZodUnion, node: SourceNode, path: Path, problems: Problems): unknown {
  const fitting = schema.options.filter((option) => kindOf(option) === node.kind)
  if (node.kind === 'scalar' && fitting.length > 1) return readLeaf(schema, node, path, problems)
  const [option] = fitting.toSorted((a, b) => requiredKeysIn(b, node) - requiredKeysIn(a, node))
  if (option !== undefined) return readNode(option, node, path, problems)
  return mismatch(node, path, problems, firstMessage(schema.safeParse(undefined).error))
}

function kindOf(schema: unknown): SourceNode['kind'] {
  if (schema instanceof z.ZodObject || schema instanceof z.ZodRecord) return 'map'
  return schema instanceof z.ZodArray ? 'list' : 'scalar'
}

/** How many required keys of `schema` the map has; -1 when one is missing. */
function requiredKeysIn(schema: unknown, node: SourceNode): number {
  if (!(schema instanceof z.ZodObject) || node.kind !== 'map') return 0
  const required = Object.entries(schema.shape).filter(([, child]) => !mayBeAbsent(child))
  return required.every(([key]) => node.entries.has(key)) ? required.length : -1
}

function mayBeAbsent(schema: unknown): boolean {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault
}

function readRecord(schema: z.ZodRecord, node: SourceNode, path: Path, problems: Problems): unknown {
  if (node.kind !== 'map') return mismatch(node, path, problems, 'must be a map of names and values')
  const draft = new Map<string, unknown>()
  for (const [key, { keyAt, value }] of node.entries) {
    const name = schema.keyType instanceof z.ZodType ? schema.keyType.safeParse(key) : undefined
    if (name?.success === false) problems.add(keyAt, `${quoted(key)} in ${nameOf(path)} ${firstMessage(name.error)}`)
    draft.set(key, readNode(schema.valueType, value, [...path, key], problems))
  }
  return draft
}

function readArray(schema: z.ZodArray, node: SourceNode, path: Path, problems: Problems): unknown {
  if (node.kind !== 'list') return mismatch(node, path, problems, 'must be a list')
  const draft = node.items.map((item, index) => readNode(schema.element, item, [...path, index], problems))
  const empty = schema.safeParse([])
  if (node.items.length === 0 && !empty.success) problems.add(node.at, `${nameOf(path)} ${firstMessage(empty.error)}`)
  return draft
}

function readLeaf(schema: z.ZodType, node: SourceNode, path: Path, problems: Problems): unknown {
  if (node.kind !== 'scalar') return mismatch(node, path, problems, 'must be a single value')
  const parsed = schema.safeParse(node.value)
  if (parsed.success) return parsed.data
  const again = node.interpolated ? schema.safeParse(retyped(node)) : parsed
  if (again.success) return again.data
  problems.add(node.at, `${nameOf(path)} ${firstMessage(parsed.error)}`)
  return undefined
}

/** The environment holds texts only; `true` and `8` mean there what they mean in YAML. */
function retyped(node: SourceScalar): unknown {
  if (node.value === 'true' || node.value === 'false') return node.value === 'true'
  return /^\d{1,15}$/.test(String(node.value)) ? Number(node.value) : node.value
}

function mismatch(node: SourceNode, path: Path, problems: Problems, message: string): undefined {
  problems.add(node.at, `${nameOf(path)} ${message}`)
  return undefined
}

function firstMessage(error: z.ZodError | undefined): string {
  return error?.issues[0]?.message ?? 'has a value that is not read here'
}

/** A default, as though it stood in the file. */
function sourceOf(value: unknown, at: number): SourceNode {
  if (Array.isArray(value)) return { kind: 'list', at, items: value.map((item) => sourceOf(item, at)) }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(
      ([key, child]) => [key, { keyAt: at, value: sourceOf(child, at) }] as const,
    )
    return { kind: 'map', at, entries: new Map(entries) }
  }
  const scalar = typeof value === 'number' || typeof value === 'boolean' ? value : String(value)
  return { kind: 'scalar', at, value: scalar, written: String(value), interpolated: false }
}

/**
 * What could be read of a value of schema `S`: keys that are missing or wrong are undefined, so that checks over several keys
 * go on beside them. Maps with free keys are `Map`s: a key of the file never meets an object's prototype.
 */
export type Draft<S> =
  S extends z.ZodOptional<infer I extends z.ZodType>
    ? Draft<I> | undefined
    : S extends z.ZodPrefault<infer I extends z.ZodType>
      ? Draft<I>
      : S extends z.ZodObject<infer Shape>
        ? { readonly [K in keyof Shape]: Draft<Shape[K]> | undefined }
        : S extends z.ZodArray<infer E extends z.ZodType>
          ? readonly (Draft<E> | undefined)[]
          : S extends z.ZodRecord<z.ZodString, infer V extends z.ZodType>
            ? ReadonlyMap<string, Draft<V> | undefined>
            : S extends z.ZodUnion<infer O>
              ? Draft<O[number]>
              : z.output<S>

/** A {@link Draft} in which nothing is missing. */
export type Complete<S> =
  S extends z.ZodOptional<infer I extends z.ZodType>
    ? Complete<I> | undefined
    : S extends z.ZodPrefault<infer I extends z.ZodType>
      ? Complete<I>
      : S extends z.ZodObject<infer Shape>
        ? { readonly [K in keyof Shape]: Complete<Shape[K]> }
        : S extends z.ZodArray<infer E extends z.ZodType>
          ? readonly Complete<E>[]
          : S extends z.ZodRecord<z.ZodString, infer V extends z.ZodType>
            ? ReadonlyMap<string, Complete<V>>
            : S extends z.ZodUnion<infer O>
              ? Complete<O[number]>
              : z.output<S>

/** Reads `node` by `schema` and reports every problem at its own place. Checks that need several keys come after. */
export function readDraft<S extends z.ZodObject>(
  schema: S,
  node: SourceNode,
  problems: Problems,
): Draft<S> | undefined {
  // The only place where the walk below, which no type can follow, meets the type that describes it.
  return readNode(schema, node, [], problems) as Draft<S> | undefined
}

/** Seals a draft that gave no problem: then nothing in it is missing. */
export function sealDraft<S>(draft: Draft<S>): Complete<S> {
  return draft as unknown as Complete<S>
}
