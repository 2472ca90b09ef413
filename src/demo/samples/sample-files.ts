import { type DavFolder, newFile, newFolder } from './dav-tree.ts'

const FILES: Readonly<Record<string, string>> = {
  'Welcome.txt': `These files live in memory and are gone when the server stops.
Connect with any WebDAV client that can send a bearer token, for example:

  rclone ls :webdav: --webdav-url http://localhost:8080/files --webdav-bearer-token "$TOKEN"
`,
  'Recipes/Plum cake.md': `# Plum cake

500 g plums, 200 g flour, 120 g butter, 120 g sugar, 2 eggs, a pinch of salt.
Halve the plums, stand them in the dough like boats in a harbour, 45 minutes at 180 °C.
`,
  'Recipes/Bread.md': `# Bread

500 g flour, 350 g water, 10 g salt, 2 g yeast. Wait until tomorrow. 40 minutes at 240 °C under a lid.
`,
  'Plans/Shed.svg': `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 90" fill="none" stroke="#0f5c4c" stroke-width="3">
  <title>Shed, front</title>
  <path d="M10 80V40L60 12l50 28v40z"/><path d="M50 80V52h20v28"/><path d="M84 52h14v12H84z"/>
</svg>
`,
  'Accounts/2026.csv': `month,in,out
2026-01,2400,1980
2026-02,2400,2110
`,
}

/** What the sample file server starts with. */
export function sampleFiles(): DavFolder {
  const root = newFolder()
  for (const [path, text] of Object.entries(FILES)) {
    const [name = '', folderName] = path.split('/').reverse()
    const folder = folderName === undefined ? root : folderIn(root, folderName)
    folder.children.set(name, newFile(name, Buffer.from(text)))
  }
  return root
}

function folderIn(root: DavFolder, name: string): DavFolder {
  const known = root.children.get(name)
  if (known?.kind === 'folder') return known
  const made = newFolder()
  root.children.set(name, made)
  return made
}
