//! Seats people at the lines of `require`: a maximum bipartite matching by augmenting paths.

/// Seats as many people as can be, nobody at two lines. `wanted` is the number of seats of each line, `fits` the lines
/// at which each person may sit. Returns how many seats of each line stay empty.
///
/// Earlier lines are filled first, so the answer depends neither on the order of people nor on repetitions in `fits`.
pub(super) fn empty_seats(wanted: &[usize], fits: &[Vec<usize>]) -> Vec<usize> {
    let mut people_of = vec![Vec::new(); wanted.len()];
    for (person, lines) in fits.iter().enumerate() {
        for &line in lines {
            people_of[line].push(person);
        }
    }
    let mut seat_of = vec![None; fits.len()];
    let mut empty = wanted.to_vec();
    for (line, empty) in empty.iter_mut().enumerate() {
        while *empty > 0 && seat_one(line, &people_of, &mut seat_of, &mut vec![false; wanted.len()]) {
            *empty -= 1;
        }
    }
    empty
}

/// Seats one more person at `line`, moving others to lines that they fit too; never empties a seat.
fn seat_one(line: usize, people_of: &[Vec<usize>], seat_of: &mut [Option<usize>], visited: &mut [bool]) -> bool {
    if std::mem::replace(&mut visited[line], true) {
        return false;
    }
    for &person in &people_of[line] {
        if seat_of[person].is_none() {
            seat_of[person] = Some(line);
            return true;
        }
    }
    for &person in &people_of[line] {
        // Whoever sits elsewhere may come over if somebody else can take that seat.
        if let Some(other) = seat_of[person]
            && other != line
            && seat_one(other, people_of, seat_of, visited)
        {
            seat_of[person] = Some(line);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_move_to_make_room() {
        // The first person would do for both lines, the second only for the first.
        assert_eq!(empty_seats(&[1, 1], &[vec![0, 1], vec![0]]), [0, 0]);
        assert_eq!(empty_seats(&[1, 1, 1], &[vec![0, 1], vec![1, 2], vec![0]]), [0, 0, 0]);
        assert_eq!(empty_seats(&[2, 1], &[vec![0, 1], vec![0, 1]]), [0, 1]);
        assert_eq!(empty_seats(&[1, 1], &[vec![0, 1]]), [0, 1]);
        assert_eq!(empty_seats(&[usize::MAX], &[vec![0], vec![0]]), [usize::MAX - 2]);
        assert_eq!(empty_seats(&[], &[vec![]]), [0usize; 0]);
        assert_eq!(empty_seats(&[0], &[vec![0]]), [0]);
    }

    /// The most seats that can be taken, by trying everything.
    fn most(wanted: &mut [usize], fits: &[Vec<usize>]) -> usize {
        let Some((lines, rest)) = fits.split_first() else { return 0 };
        let mut best = most(wanted, rest);
        for &line in lines {
            if wanted[line] > 0 {
                wanted[line] -= 1;
                best = best.max(1 + most(wanted, rest));
                wanted[line] += 1;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn as_many_sit_as_trying_everything_could_seat(
            wanted in prop::collection::vec(0usize..4, 3),
            fits in prop::collection::vec(prop::collection::vec(0usize..3, 0..4), 0..6),
        ) {
            let empty = empty_seats(&wanted, &fits);
            let seated = wanted.iter().sum::<usize>() - empty.iter().sum::<usize>();
            prop_assert_eq!(seated, most(&mut wanted.clone(), &fits));
        }

        #[test]
        fn the_order_of_people_does_not_matter(
            wanted in prop::collection::vec(0usize..4, 3),
            (fits, shuffled) in prop::collection::vec(prop::collection::vec(0usize..3, 0..4), 0..6)
                .prop_flat_map(|fits| (Just(fits.clone()), Just(fits).prop_shuffle())),
        ) {
            prop_assert_eq!(empty_seats(&wanted, &fits), empty_seats(&wanted, &shuffled));
        }
    }
}
