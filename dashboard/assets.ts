/** Written by scripts/build-assets.mjs: run it after a change in dashboard/client. */
export const assets = {
  css: "/assets/view.ee196d8e14.css",
  view: "/assets/view.33b9cd9dfc.js",
  icon: "/assets/icon.79a431c894.svg",
  htmx: "/assets/htmx.min.a0abb04f2f.js",
} as const;
