// The video, and under it the timeline: score, threshold, events and labels over time, the place that is played, and
// an interval that is being marked. A click seeks; a drag marks. All times are in seconds.
const clock = (seconds) => {
  const tenths = Math.round(seconds * 10);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(tenths / 36000);
  const minutes = Math.floor(tenths / 600) % 60;
  const rest = `${two(Math.floor(tenths / 10) % 60)}.${tenths % 10}`;
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
};

export default {
  template: `
    <div class="player">
      <div class="screen">
        <video ref="video" :src="src" controls playsinline preload="auto" :aria-label="'Video ' + name"
          @timeupdate="follow" @seeked="follow" @play="run" @loadedmetadata="ready"></video>
        <img v-if="map && shown" class="map" :src="map.replace('{time}', time.toFixed(1))" alt="" />
        <button v-if="map" type="button" class="button map-switch" :aria-pressed="String(shown)" @click="toggle_map">Anomaly map</button>
      </div>
      <div ref="timeline" class="timeline" role="slider" tabindex="0" aria-label="Timeline" aria-valuemin="0"
        :aria-valuemax="duration.toFixed(1)" :aria-valuenow="time.toFixed(1)" :aria-valuetext="spoken"
        @pointerdown="press" @pointermove="move" @pointerup="release" @pointercancel="drag = null"
        @pointerleave="hover = null" @keydown="key">
        <div class="plot">
          <div v-for="event in events" class="event" :class="event.state" :style="span(event)"></div>
          <div v-for="one in unjudged" class="unjudged" :style="span(one)"></div>
          <svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">
            <path class="raw" :d="path(curve.raw)" /><path class="smoothed" :d="path(curve.smoothed)" />
            <line v-if="curve.threshold !== null" class="threshold" x1="0" x2="1000" :y1="y(curve.threshold)" :y2="y(curve.threshold)" />
            <line v-if="trial" class="trial" x1="0" x2="1000" :y1="y(trial.threshold)" :y2="y(trial.threshold)" />
          </svg>
          <div v-for="event in trial?.events ?? []" class="would" :style="span(event)"></div>
          <span v-if="curve.threshold !== null" class="level" :style="{top: y(curve.threshold) + '%'}">threshold {{ curve.threshold.toFixed(2) }}</span>
        </div>
        <div class="lane"><div v-for="label in labels" class="label" :class="label.verdict" :style="span(label)"></div></div>
        <div class="ticks" aria-hidden="true"><span v-for="tick in ticks" :style="{left: percent(tick)}">{{ tickText(tick) }}</span></div>
        <div v-if="shown" class="marked" :style="span(shown)"></div>
        <div class="head" :style="{left: percent(time)}"></div>
        <div v-if="hover !== null" class="hover" :style="{left: percent(hover)}"><span :class="{late: hover > duration / 2}">{{ describe(hover) }}</span></div>
      </div>
    </div>`,
  props: {
    src: String,
    name: String,
    duration: Number,
    fps: Number,
    curve: Object, // times, raw, smoothed: arrays of one length; threshold: number or null
    events: Array, // start, end, state
    labels: Array, // start, end, verdict
    unjudged: Array, // start, end of what the probe could not judge
    trial: Object, // a threshold that is tried, and the events that it would give; or null
    marked: Object, // start, end; or null
    loop: Object, // start, end of what is played again and again; or null
    map: String, // address of the anomaly map at {time}, laid over the picture; or null
  },
  data: () => ({ time: 0, hover: null, drag: null, pending: null, shown: false }),
  computed: {
    // Scores at the bottom and at the top: the threshold is always within, and a quiet video stays flat.
    range() {
      const { raw, smoothed, threshold } = this.curve;
      const all = threshold === null ? [0, 1] : [...raw, ...smoothed, threshold];
      const low = all.reduce((a, b) => Math.min(a, b));
      const high = all.reduce((a, b) => Math.max(a, b));
      const room = Math.max(0, 0.2 - (high - low)) / 2;
      return [low - room, high + room];
    },
    ticks() {
      const step = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600].find((one) => this.duration / one <= 8) ?? 7200;
      return Array.from({ length: Math.floor(this.duration / step) + 1 }, (_, index) => index * step);
    },
    shown() {
      return this.drag?.marks ? this.dragged() : this.marked;
    },
    spoken() {
      const index = this.events.findIndex((event) => event.start <= this.time && this.time < event.end);
      return this.describe(this.time) + (index < 0 ? "" : `, in event ${index + 1}`);
    },
  },
  mounted() {
    this.frame = 0;
  },
  unmounted() {
    cancelAnimationFrame(this.frame);
  },
  methods: {
    // What the page calls.
    seek(time) {
      const video = this.$refs.video;
      this.time = Math.min(Math.max(time, 0), this.duration);
      if (video.readyState) video.currentTime = this.time;
      else this.pending = this.time;
    },
    seek_by(seconds) {
      this.seek(this.time + seconds);
    },
    step(frames) {
      this.$refs.video.pause();
      this.seek(this.time + frames / this.fps);
    },
    toggle() {
      const video = this.$refs.video;
      if (video.paused) video.play().catch(() => {});
      else video.pause();
    },
    toggle_map() {
      this.shown = !this.shown;
    },
    mark_from_here() {
      const end = this.marked && this.marked.end > this.time ? this.marked.end : this.duration;
      this.$emit("mark", { start: this.time, end });
    },
    mark_to_here() {
      const start = this.marked && this.marked.start < this.time ? this.marked.start : 0;
      this.$emit("mark", { start, end: this.time });
    },

    // What the video tells.
    ready() {
      if (this.pending !== null && this.$refs.video) this.$refs.video.currentTime = this.pending;
      this.pending = null;
    },
    follow() {
      const video = this.$refs.video;
      if (!video || this.pending !== null) return;
      if (this.loop && !video.paused && (video.currentTime >= this.loop.end || video.currentTime < this.loop.start - 0.2)) {
        video.currentTime = this.loop.start;
      }
      this.time = video.currentTime;
    },
    run() {
      this.follow();
      if (this.$refs.video && !this.$refs.video.paused) this.frame = requestAnimationFrame(this.run);
    },

    // What the pointer and the keys do.
    at(event) {
      const box = this.$refs.timeline.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * this.duration;
    },
    press(event) {
      if (event.button) return;
      this.drag = { x: event.clientX, from: this.at(event), to: this.at(event), marks: false };
      this.$refs.timeline.setPointerCapture(event.pointerId);
    },
    move(event) {
      this.hover = event.pointerType === "mouse" ? this.at(event) : null;
      if (!this.drag) return;
      this.drag.marks ||= Math.abs(event.clientX - this.drag.x) > 5;
      this.drag.to = this.at(event);
    },
    release(event) {
      if (this.drag?.marks) this.$emit("mark", this.dragged());
      else if (this.drag) this.seek(this.at(event));
      this.drag = null;
    },
    dragged() {
      const { from, to } = this.drag;
      return { start: Math.min(from, to), end: Math.max(from, to) };
    },
    key(event) {
      const go = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity }[event.key];
      if (go === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.seek_by(go);
    },

    // How it is drawn.
    percent(time) {
      return `${(100 * Math.min(time, this.duration)) / this.duration}%`;
    },
    span({ start, end }) {
      return { left: this.percent(start), width: this.percent(end - start) };
    },
    y(score) {
      const [low, high] = this.range;
      return 96 - (92 * (score - low)) / (high - low);
    },
    path(scores) {
      return this.curve.times
        .map((time, index) => `${index ? "L" : "M"}${((1000 * time) / this.duration).toFixed(2)} ${this.y(scores[index]).toFixed(2)}`)
        .join("");
    },
    tickText(tick) {
      return clock(tick).slice(0, -2);
    },
    describe(time) {
      const { times, smoothed } = this.curve;
      if (!times.length) return clock(time);
      let best = 0;
      times.forEach((one, index) => {
        if (Math.abs(one - time) < Math.abs(times[best] - time)) best = index;
      });
      return `${clock(time)}, score ${smoothed[best].toFixed(2)}`;
    },
  },
};
