//! Medians and spreads.

/// The values of several runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    values: Vec<f64>,
}

impl Series {
    /// Adds the value of one run.
    pub(crate) fn add(&mut self, value: f64) {
        self.values.push(value);
    }

    /// The values in the order of their runs.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The middle value, or the mean of the two in the middle. Nothing without a run.
    pub(crate) fn median(&self) -> Option<f64> {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        if sorted.len() % 2 == 1 {
            return Some(upper);
        }
        Some(f64::midpoint(sorted[middle - 1], upper))
    }

    /// The least and the greatest value.
    pub(crate) fn spread(&self) -> Option<(f64, f64)> {
        let sorted = self.sorted();
        Some((*sorted.first()?, *sorted.last()?))
    }

    /// The value that `thousandths` of a thousand values stay below.
    pub(crate) fn percentile(&self, thousandths: usize) -> Option<f64> {
        let sorted = self.sorted();
        let last = sorted.len().checked_sub(1)?;
        Some(sorted[last * thousandths / 1000])
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        Self {
            values: values.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_spread_of_odd_and_even_counts() {
        let odd: Series = [3.0, 1.0, 2.0].into_iter().collect();
        let even: Series = [4.0, 1.0, 2.0, 3.0].into_iter().collect();

        assert_eq!(odd.median(), Some(2.0));
        assert_eq!(even.median(), Some(2.5));
        assert_eq!(even.spread(), Some((1.0, 4.0)));
        assert_eq!(Series::default().median(), None);
    }
}
