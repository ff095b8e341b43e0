// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vite';

// `npm run dev` against a running server: HEADRACE=http://127.0.0.1:8080, by default the mock of dev/mock_server.mjs.
const backend = process.env['HEADRACE'] ?? 'http://127.0.0.1:8099';

export default defineConfig({
  build: {
    target: 'es2021',
    assetsInlineLimit: 0,
    // Few files with plain names: the server embeds them and sets their caching.
    rollupOptions: {
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': backend, '/live': { target: backend, ws: true } } },
});
