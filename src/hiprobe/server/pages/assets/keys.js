// Keys of the page, and the theme of this browser. Typing into a field, and what an open dialog is for, come first.
const THEMES = [null, false, true]; // as the system, light, dark
const KEPT = "hiprobe-theme";

export default {
  template: "<span hidden></span>",
  props: { keys: Array },
  created() {
    const kept = Number(localStorage.getItem(KEPT) ?? 0);
    if (kept) setDark(THEMES[kept]);
  },
  mounted() {
    document.addEventListener("keydown", this.press);
  },
  unmounted() {
    document.removeEventListener("keydown", this.press);
  },
  methods: {
    press(event) {
      const { key, target } = event;
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (!this.keys.includes(key)) return;
      if (target.closest("input:not([type=range]), textarea, select, [contenteditable], [role=dialog]")) return;
      if (document.querySelector("[role=dialog]")) return;
      // A button, a slider and the video have uses of their own for these.
      if ([" ", "ArrowLeft", "ArrowRight"].includes(key) && target.closest("button, a, video, input, [role=slider]")) return;
      event.preventDefault();
      this.$emit("key", key);
    },
    next_theme() {
      const next = (Number(localStorage.getItem(KEPT) ?? 0) + 1) % THEMES.length;
      localStorage.setItem(KEPT, next);
      setDark(THEMES[next]);
      Quasar.Notify.create({
        message: `Theme: ${["as the system", "light", "dark"][next]}`,
        position: "top",
        timeout: 1500,
      });
    },
  },
};
