import { defineConfig } from "vitest/config";

// The built page is committed, so that installing goodseed needs no Node; `nox -s web` checks that it is what this builds.
export default defineConfig({
  base: "/",
  build: {
    outDir: "../goodseed-core/src/goodseed/web",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: "es2022",
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  test: { setupFiles: ["test/examples.ts"] },
  server: { proxy: { "/api": "http://127.0.0.1:8765" } },
});
