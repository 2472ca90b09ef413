import { Command } from 'commander'
import { jsonSchema } from '../config/load.ts'
import { printJson } from './output.ts'

/** `audgate schema`: what an editor needs to help with routes.yaml. */
export function command(): Command {
  return new Command('schema')
    .description('print the JSON Schema of routes.yaml, for editors')
    .addHelpText('after', '\nSave it beside routes.yaml: audgate schema > routes.schema.json')
    .option('--config <file>', 'as with every command; the schema is the same for every file')
    .action(() => printJson(jsonSchema()))
}
