// A slider that follows the hand at once, and tells the page a few times a second where it is.
const PAUSE = 60; // milliseconds

export default {
  template: `<input type="range" min="0" :max="steps" step="1" :value="here" :aria-label="name" :aria-valuetext="spoken" @input="move" />`,
  props: {
    steps: Number,
    set: Object, // to: the step to go to; times: how often it was told to go somewhere
    name: String,
    spoken: String,
  },
  data: () => ({ here: 0 }),
  watch: {
    // The object itself is another one whenever any property is told.
    "set.times": { handler: "go", immediate: true },
  },
  unmounted() {
    clearTimeout(this.waiting);
  },
  methods: {
    go() {
      clearTimeout(this.waiting);
      this.waiting = null;
      this.here = this.set?.to ?? 0;
    },
    move(event) {
      this.here = Number(event.target.value);
      this.waiting ??= setTimeout(() => {
        this.waiting = null;
        this.$emit("move", this.here);
      }, PAUSE);
    },
  },
};
