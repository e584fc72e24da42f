//! Operations of colors.

use super::Color;

impl Color {
    /// Returns the color whose components `merge` computes from those of two colors.
    fn zip(self, other: Self, merge: impl Fn(f32, f32) -> f32) -> Self {
        Self {
            r: merge(self.r, other.r),
            g: merge(self.g, other.g),
            b: merge(self.b, other.b),
            a: merge(self.a, other.a),
        }
    }

    /// Returns the linear interpolation between `self` (`weight` 0) and `to` (`weight` 1).
    pub fn lerp(self, to: Self, weight: f32) -> Self {
        self.zip(to, |from, to| from + (to - from) * weight)
    }

    /// Returns the color, darker by `amount`: 1 is black.
    pub fn darkened(self, amount: f32) -> Self {
        let part = 1.0 - amount;
        Self { r: self.r * part, g: self.g * part, b: self.b * part, a: self.a }
    }

    /// Returns the color, lighter by `amount`: 1 is white.
    pub fn lightened(self, amount: f32) -> Self {
        let lighter = |component: f32| component + (1.0 - component) * amount;
        Self { r: lighter(self.r), g: lighter(self.g), b: lighter(self.b), a: self.a }
    }

    /// Returns the color as `rrggbbaa` in hexadecimal digits. Components are limited to 0.0..=1.0.
    pub fn to_html(self) -> String {
        let [r, g, b, a] = [self.r, self.g, self.b, self.a]
            // A conversion to u8 saturates.
            .map(|component| (component * 255.0).round() as u8);
        format!("{r:02x}{g:02x}{b:02x}{a:02x}")
    }

    /// Returns the color of `rgb`, `rgba`, `rrggbb` or `rrggbbaa` in hexadecimal digits, with or
    /// without `#` before; `None` for another text.
    #[doc(alias = "html")]
    pub fn from_html(text: &str) -> Option<Self> {
        let text = text.strip_prefix('#').unwrap_or(text);
        let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
        let components: Vec<u32> = match digits.len() {
            3 | 4 => digits.iter().map(|digit| digit * 17).collect(),
            6 | 8 => digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect(),
            _ => return None,
        };
        let component = |index| components.get(index).map_or(1.0, |&byte| byte as f32 / 255.0);
        Some(Self::new(component(0), component(1), component(2), component(3)))
    }
}
