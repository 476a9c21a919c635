// Built into files that fedhub embeds. Nothing is inlined: the hub's Content-Security-Policy allows 'self' and nothing else.
import { defineConfig } from 'vite';
import { coastModule } from './coast.js';

export default defineConfig({
  base: '/console/',
  plugins: [coastModule()],
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: {
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
        hashCharacters: 'hex',
      },
    },
  },
});
