import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

export default defineConfig({
  // Where the demo serves them.
  base: "/web/",
  plugins: [vue()],
  // The client has its own for its tests.
  resolve: { dedupe: ["react", "vue"] },
  build: {
    rollupOptions: { input: ["react/index.html", "vue/index.html"] },
    // The pages allow nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
