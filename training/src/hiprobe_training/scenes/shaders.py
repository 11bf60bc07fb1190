"""GLSL programs of :mod:`hiprobe_training.scenes.raster`.

Light is added up in squares of the colours, near enough to linear.
"""

from __future__ import annotations

_BONES = """#version 330
uniform sampler2D bones;  // one row a part, three texels: the upper rows of its matrix
vec3 placed(vec4 p, float part) {
    int row = int(part + 0.5);
    return vec3(dot(texelFetch(bones, ivec2(0, row), 0), p), dot(texelFetch(bones, ivec2(1, row), 0), p),
                dot(texelFetch(bones, ivec2(2, row), 0), p));
}
"""

# Depth alone, for the shadow map and for the camera before anything is shaded.
DEPTH_VERTEX = (
    _BONES
    + """
uniform mat4 sun;
invariant gl_Position;
in vec3 position;
in float part;
void main() { gl_Position = sun * vec4(placed(vec4(position, 1.0), part), 1.0); }
"""
)

DEPTH_FRAGMENT = """#version 330
void main() {}
"""

MAIN_VERTEX = (
    _BONES
    + """
uniform mat4 view, sun;
invariant gl_Position;
in vec3 position, normal, colour;
in vec2 uv;
in float part;
out vec3 at, up, paint, shaded;
out vec2 spot;
void main() {
    at = placed(vec4(position, 1.0), part);
    up = placed(vec4(normal, 0.0), part);
    paint = colour;
    spot = uv;
    shaded = (sun * vec4(at + 0.03 * up, 1.0)).xyz * 0.5 + 0.5;
    gl_Position = view * vec4(at, 1.0);
}
"""
)

MAIN_FRAGMENT = """#version 330
uniform sampler2D picture;
uniform sampler2DShadow shadow;
uniform vec3 eye, to_sun, sun_colour, ambient, haze_colour;
uniform float haze, headlamp;
uniform int lamp_count;
uniform vec4 lamp_at[6];
uniform vec4 lamp_colour[6];
float sharp(float x) { x *= x; x *= x; x *= x; x *= x; x *= x; return x; }  // x to the 32nd
in vec3 at, up, paint, shaded;
in vec2 spot;
out vec4 result;
float lit() {
    if (any(lessThan(shaded.xy, vec2(0.0))) || any(greaterThan(shaded.xy, vec2(1.0)))) return 1.0;
    float step = 0.9 / 512.0, z = shaded.z - 0.0012, sum = 0.0;
    sum += texture(shadow, vec3(shaded.xy + vec2(-step, -0.4 * step), z));
    sum += texture(shadow, vec3(shaded.xy + vec2(0.4 * step, -step), z));
    sum += texture(shadow, vec3(shaded.xy + vec2(step, 0.4 * step), z));
    sum += texture(shadow, vec3(shaded.xy + vec2(-0.4 * step, step), z));
    return 0.25 * sum;
}
void main() {
    vec3 base = texture(picture, spot).rgb * paint;
    base *= base;
    vec3 n = normalize(up), away = eye - at;
    float far = length(away);
    away /= far;
    vec3 light = ambient * mix(0.55, 1.0, 0.5 + 0.5 * n.z);
    light *= mix(0.68, 1.0, max(smoothstep(0.0, 0.7, at.z), smoothstep(0.5, 1.0, n.z)));  // less reaches low corners
    float facing = dot(n, to_sun);
    vec3 gloss = vec3(0.0);
    if (facing > 0.0) {
        float open = lit();
        light += sun_colour * facing * open;
        gloss = sun_colour * open * 0.10 * sharp(max(dot(n, normalize(to_sun + away)), 0.0));
    }
    for (int k = 0; k < lamp_count; ++k) {
        vec3 to = lamp_at[k].xyz - at;
        float d = length(to);
        float reach = d / lamp_at[k].w;
        light += lamp_colour[k].rgb * max(dot(n, to) / d * 0.8 + 0.2, 0.0) / (1.0 + reach * reach * reach);
        gloss += lamp_colour[k].rgb * 0.09 * sharp(max(dot(n, normalize(to / d + away)), 0.0));
    }
    light += headlamp * max(dot(n, away), 0.0) / (1.0 + far * far / 50.0);
    float shine = max(max(paint.r, paint.g), paint.b);
    if (shine > 1.0) { light = vec3(1.0); gloss = vec3(0.0); }  // lamps shine by themselves
    vec3 seen = base * light + gloss;
    seen = mix(haze_colour * haze_colour, seen, exp(-haze * far));
    result = vec4(sqrt(min(seen, vec3(1.0))), 1.0);
}
"""

SKY_VERTEX = """#version 330
out vec2 screen;
void main() {
    screen = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
    gl_Position = vec4(screen, 0.0, 1.0);
}
"""

SKY_FRAGMENT = """#version 330
uniform vec3 right, up, ahead, low, top;
in vec2 screen;
out vec4 result;
void main() {
    vec3 ray = normalize(ahead + screen.x * right + screen.y * up);
    vec2 p = ray.xy / max(ray.z + 0.1, 0.05);
    float cloud = sin(p.x * 1.7 + sin(p.y * 2.3)) * sin(p.y * 1.3 + sin(p.x * 3.1));
    vec3 colour = mix(low, top, smoothstep(0.0, 0.5, ray.z)) * (1.0 + 0.06 * cloud);
    result = vec4(colour, 1.0);
}
"""

PUFF_VERTEX = """#version 330
uniform mat4 view;
uniform vec3 right, up;
in vec3 centre;
in float radius, seed;
in vec4 colour;
in vec2 corner;
out vec2 disc;
out vec4 tone;
out float salt;
void main() {
    disc = corner;
    tone = colour;
    salt = seed;
    gl_Position = view * vec4(centre + radius * (corner.x * right + corner.y * up), 1.0);
}
"""

PUFF_FRAGMENT = """#version 330
in vec2 disc;
in vec4 tone;
in float salt;
out vec4 result;
void main() {
    vec2 p = disc * 2.6 + salt * 1.7;
    float lumps = sin(p.x + 1.7 * sin(p.y * 1.3 + salt)) * sin(1.4 * p.y + 1.3 * sin(p.x * 1.1 - salt));
    float r = length(disc) + 0.16 * lumps;
    result = vec4(tone.rgb * (1.0 + 0.12 * lumps), tone.a * (1.0 - smoothstep(0.15, 1.0, r)));
}
"""
